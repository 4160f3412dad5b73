"""Every command, used wrongly: it says what is wrong and what to do, with the right exit code and no traceback."""

import subprocess
import sys
from pathlib import Path

import pytest

from certpipe.cli import COMMANDS
from tests.integration.cli.conftest import Run
from tests.integration.cli.fake_api import FakeApi, Reply
from tests.unit.cli.samples import ORGANIZATION, PARTY, UPLOAD

ID = str(UPLOAD)
FILES = ("cer", "key", "--password-file", "password")
ADDRESS = "https://erp.example.com/certpipe"
SAID = ("--rfc", "EKU9003173C9", "--name", "Kemper")
ASKING = [
    ("upload", *FILES, "--kind", "fiel"),
    ("status",),
    ("status", ID),
    ("watch", ID),
    ("org", "put", ID, *SAID),
    ("org", "show", ID),
    ("org", "list"),
    ("org", "producer", ID, "erp"),
    ("party", "put", ID, "--organization", ID, "--kind", "entry", *SAID),
    ("party", "show", ID),
    ("party", "list"),
    ("webhooks", "add", ADDRESS, "--organization", ID),
    ("webhooks", "list"),
    ("webhooks", "show", ID),
    ("webhooks", "change", ID, "--every-type"),
    ("webhooks", "enable", ID),
    ("webhooks", "disable", ID),
    ("webhooks", "remove", ID),
    ("webhooks", "rotate", ID),
    ("webhooks", "revoke", ID),
    ("webhooks", "ping", ID),
    ("webhooks", "deliveries", ID),
    ("webhooks", "replay", ID, "1"),
    ("listen",),
]
"""Every command that asks the server."""
HEADED = (("webhooks", "add", ADDRESS, "--organization", ID), ("webhooks", "change", ID))
SECRET = (("webhooks", "add", ADDRESS, "--organization", ID), ("webhooks", "rotate", ID))
SIGNING = (("webhooks", "test", "http://127.0.0.1:1/"), ("listen", "--forward-to", "http://127.0.0.1:1/"))
ENDPOINTS = ("show", "change", "enable", "disable", "remove", "rotate", "revoke", "ping", "deliveries", "replay")
NO_ADDRESSES = ("nowhere", "ftp://127.0.0.1/", "http://", "http://[::1", "http://h:port/", "http://u:p@127.0.0.1/")

WRONG: list[tuple[tuple[str, ...], str]] = [
    # missing
    (("upload",), "cer"),
    (("upload", "cer"), "key"),
    (("watch",), "id"),
    (("check",), "cer"),
    (("check", "cer"), "key"),
    (("org",), "usage"),
    (("org", "put", ID), "--rfc"),
    (("org", "put", ID, "--rfc", "X"), "--name"),
    (("org", "show"), "id"),
    (("org", "producer", ID), "user"),
    (("party",), "usage"),
    (("party", "put", ID, *SAID), "--organization"),
    (("party", "show"), "id"),
    (("keys",), "usage"),
    (("topology",), "usage"),
    (("migrate",), "certpipe_database_url"),
    (("migrate", "--check"), "certpipe_database_url"),
    (("topology", "apply"), "certpipe_amqp_url"),
    (("topology", "verify"), "certpipe_amqp_url"),
    (("topology", "migrate"), "certpipe_amqp_url"),
    (("rebuild",), "certpipe_database_url"),
    (("dead",), "usage"),
    (("dead", "drop"), "number"),
    (("dead", "show", "x"), "number"),
    (("services", "reset"), "name"),
    (("token",), "make up"),
    (("webhooks",), "usage"),
    (("webhooks", "add"), "address"),
    (("webhooks", "show"), "id"),
    (("webhooks", "change", ID), "nothing is to be changed"),
    (("webhooks", "replay", ID), "--failed"),
    (("webhooks", "test"), "address"),
    # unknown, with the nearest match
    (("org", "lst"), "did you mean 'list'"),
    (("party", "pot"), "did you mean 'put'"),
    (("keys", "lits"), "did you mean 'list'"),
    (("topology", "aply"), "did you mean 'apply'"),
    (("webhooks", "lst"), "did you mean 'list'"),
    (("webhooks", "add", ADDRESS, "--tpye", "x"), "--type"),
    (("listen", "--forwrd-to", "x"), "--forward-to"),
    (("upload", *FILES, "--kimd", "fiel"), "--kind"),
    (("status", "--stat", "stored"), "--state"),
    (("doctor", "--jsn"), "--json"),
    (("token", "--operatr"), "--operator"),
    (("migrate", "--chek"), "--check"),
    (("simulate", "--prt", "1"), "--port"),
    (("serve", "--dialect", "lummy"), "--dialects"),
    (("check", *FILES, "--rcf", "X"), "--rfc"),
    # malformed
    (("upload", *FILES, "--kind", "efirma"), "--kind"),
    (("upload", *FILES, "--party", "mine"), "--party"),
    (("upload", *FILES, "--wait", "long"), "--wait"),
    (("upload", *FILES, "--wait", "-1"), "--wait"),
    (("upload", *FILES, "--kind", "fiel", "--idempotency-key", ""), "idempotency key"),
    (("upload", *FILES, "--kind", "fiel", "--idempotency-key", "ñ"), "idempotency key"),
    (("upload", *FILES, "--kind", "fiel", "--idempotency-key", "x" * 256), "idempotency key"),
    (("status", "mine"), "id"),
    (("status", ID, "--state", "stored"), "--state"),
    (("status", "--state", "lost"), "--state"),
    (("status", "--party", "mine"), "--party"),
    (("status", "--limit", "0"), "--limit"),
    (("status", "--cursor", "mine"), "--cursor"),
    (("watch", "mine"), "id"),
    (("watch", ID, "--wait", "long"), "--wait"),
    (("org", "put", "mine", *SAID), "id"),
    (("org", "show", "mine"), "id"),
    (("org", "producer", "mine", "erp"), "id"),
    (("org", "producer", ID, ""), "user"),
    (("org", "producer", ID, ".."), "user"),
    (("party", "put", "mine", "--organization", ID, "--kind", "entry", *SAID), "id"),
    (("party", "put", ID, "--organization", "mine", "--kind", "entry", *SAID), "--organization"),
    (("party", "put", ID, "--organization", ID, "--kind", "person", *SAID), "--kind"),
    (("party", "list", "--organization", "mine"), "--organization"),
    (("token", "--minutes", "0"), "--minutes"),
    (("token", "--minutes", "61"), "--minutes"),
    (("token", "--subject", ""), "subject"),
    (("simulate", "--port", "99999"), "--port"),
    (("serve", "--dialects", "lummy,facturama"), "no dialect"),
    (("check", *FILES, "--kind", "efirma"), "--kind"),
    (("check", *FILES, "--at", "tomorrow"), "--at"),
    (("check", *FILES, "--rfc", "X"), "--rfc"),
    *((("webhooks", name, "mine"), "id") for name in ENDPOINTS),
    (("webhooks", "add", ADDRESS, "--organization", "mine"), "--organization"),
    (("webhooks", "add", ADDRESS, "--type", "certificate.stord"), "'certificate.stored'"),
    (("webhooks", "list", "--organization", "mine"), "--organization"),
    (("webhooks", "change", ID, "--type", "upload.failed", "--every-type"), "contradict"),
    (("webhooks", "change", ID, "--headers-file", "cer", "--no-headers"), "contradict"),
    (("webhooks", "rotate", ID, "--overlap-hours", "169"), "--overlap-hours"),
    (("webhooks", "ping", ID, "--wait", "long"), "--wait"),
    (("webhooks", "deliveries", ID, "--state", "lost"), "--state"),
    (("webhooks", "deliveries", ID, "--limit", "101"), "--limit"),
    (("webhooks", "deliveries", ID, "--cursor", "0"), "--cursor"),
    (("webhooks", "replay", ID, "0"), "delivery"),
    (("webhooks", "replay", ID, "1", "--failed"), "not clear"),
    (("webhooks", "replay", ID, "--failed", "--since", "2026-01-01"), "not clear"),
    (("webhooks", "replay", ID, "--failed", "--until", "2026-01-01"), "not clear"),
    (("webhooks", "replay", ID, "--since", "tomorrow"), "--since"),
    *((("webhooks", "test", address), "the receiver's address") for address in NO_ADDRESSES),
    *((("listen", "--forward-to", address), "the receiver's address") for address in NO_ADDRESSES),
    (("webhooks", "test", "http://127.0.0.1:1/", "--type", "nothing"), "--type"),
    (("listen", "--organization", "mine"), "--organization"),
    (("listen", "--type", "nothing"), "--type"),
    (("listen", "--secret-file", "secret"), "--forward-to"),
    # files
    *(((*command, "--headers-file", "none"), "does not exist") for command in HEADED),
    *(((*command, "--headers-file", "empty"), "is empty") for command in HEADED),
    *(((*command, "--headers-file", "password"), "line 1 of password is not a header") for command in HEADED),
    *(((*command, "--headers-file", "twice"), "line 2 of twice names a header twice") for command in HEADED),
    *(((*command, "--secret-file", "cer"), "exists already") for command in SECRET),
    *(((*command, "--secret-file", "none/secret"), "cannot be made") for command in SECRET),
    *(((*command, "--secret-file", "password"), "no secret of a webhook") for command in SIGNING),
    *(((*command, "--secret-file", "none/secret"), "cannot be made") for command in SIGNING),
    *(((*command, "--secret-file", "."), "is a folder") for command in SIGNING),
    (("upload", "none", "key"), "does not exist"),
    (("upload", ".", "key"), "is a folder"),
    (("upload", "empty", "key"), "is empty"),
    (("upload", "cer", "none"), "does not exist"),
    (("upload", "cer", "empty"), "is empty"),
    (("upload", "large", "key"), "64 kib"),
    (("upload", "cer/none", "key"), "cannot be read"),
    (("upload", "cer", "key", "--kind", "fiel", "--password-file", "none"), "does not exist"),
    (("upload", "cer", "key", "--kind", "fiel", "--password-file", "empty"), "is empty"),
    (("upload", "cer", "key", "--kind", "fiel"), "--password-stdin"),
    (("upload", "cer", "key", "--kind", "fiel", "--password-stdin"), "vacía"),
    (("upload", *FILES, "--kind", "fiel", "--password-stdin"), "one too many"),
    (("check", "none", "key"), "does not exist"),
    (("check", ".", "key"), "is a folder"),
    (("check", "cer", "none"), "does not exist"),
    (("check", "cer", "key", "--password-file", "none"), "does not exist"),
    (("check", "cer", "key"), "--password-stdin"),
    (("check", *FILES, "--anchors", "none"), "does not exist"),
    (("check", *FILES, "--anchors", "cer"), "anchors file"),
    *(((*command, "--token-file", "none"), "does not exist") for command in ASKING),
    *(((*command, "--token-file", "."), "is a folder") for command in ASKING),
    *(((*command, "--token-file", "empty"), "is empty") for command in ASKING),
    *(((*command, "--url", "nowhere"), "not a url") for command in ASKING),
    *(((*command, "--url", "http://far.example.com"), "in clear") for command in ASKING),
    *(((*command, "left over"), "unexpected extra argument") for command in ASKING if command != ("status",)),
]


@pytest.fixture(autouse=True)
def _no_servers(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (files / "large").write_bytes(b"x" * 65_537)
    (files / "twice").write_text("X-Api-Key: a\nx-api-key: b\n")
    for name in ("CERTPIPE_DATABASE_URL", "CERTPIPE_AMQP_URL", "CERTPIPE_ENVIRONMENT", "CERTPIPE_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("arguments", "words"), WRONG, ids=[f"{at}-{case[0][0]}" for at, case in enumerate(WRONG)])
def test_it_says_what_is_wrong_and_what_to_do(api: FakeApi, run: Run, arguments: tuple[str, ...], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert words in result.stderr.lower()
    assert "→" in result.stderr or "usage" in result.stderr.lower()
    assert result.stdout == ""
    assert api.received == []


PROBLEM = {
    "code": "invalid_field",
    "title": "The value is not valid",
    "detail": "El valor no es válido",
    "status": 422,
    "errors": [{"code": "invalid_field", "field": "rfc", "message_es": "El RFC…", "message_en": "The RFC…"}],
}
ANSWERS: list[tuple[Reply, int, str]] = [
    (Reply(400, PROBLEM), 2, "el rfc…"),
    (Reply(401, {"code": "unauthorized", "title": "A token is needed"}), 2, "--token-file"),
    (Reply(403, {"code": "forbidden", "title": "You may not"}), 2, "ask an owner"),
    (Reply(404, {"code": "target_not_found", "detail": "No existe"}), 2, "no existe"),
    (Reply(409, {"code": "idempotency_in_flight"}), 2, "try again in a moment"),
    (Reply(422, PROBLEM), 2, "invalid_field, rfc"),
    (Reply(503, {"code": "overloaded"}, {"Retry-After": "3"}), 3, "3 seconds"),
    (Reply(200, "<html>Welcome</html>"), 3, "is not certpipe"),
    (Reply(502, "<html>Bad gateway</html>"), 3, "is not certpipe"),
    (Reply(302, "moved", {"Location": "http://127.0.0.1:1/"}), 3, "is not certpipe"),
]


@pytest.mark.parametrize("command", ASKING, ids=[" ".join(command[:2]).replace(ID, "ID") for command in ASKING])
@pytest.mark.parametrize(("reply", "code", "words"), ANSWERS, ids=[f"{answer[0].status}" for answer in ANSWERS])
def test_what_the_server_refuses_is_told(
    api: FakeApi,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    reply: Reply,
    code: int,
    words: str,
) -> None:
    monkeypatch.setattr("certpipe.cli.follow.MOST_FAILURES", 0)
    resources = ("uploads", "organizations", "parties", "webhooks")
    of_endpoints = ("rotate", "revoke", "ping", "deliveries", "deliveries/1/replay")
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        for path in (
            *resources,
            *(f"{name}/{ID}" for name in resources),
            *(f"webhooks/{ID}/{x}" for x in of_endpoints),
        ):
            api.answers(f"{method} /v1/{path}", reply)
    api.answers(f"PUT /v1/organizations/{ID}/producers/erp", reply)
    api.answers("GET /v1/events", reply)
    result = run(*command)
    assert result.exit_code == code, result.output
    assert words in result.stderr.lower()
    as_json = run(*command, "--json")
    assert as_json.exit_code == code
    if isinstance(reply.body, dict):
        assert '"code"' in as_json.stdout
    assert as_json.stderr == ""


@pytest.mark.parametrize("command", ASKING, ids=[" ".join(command[:2]).replace(ID, "ID") for command in ASKING])
def test_a_server_that_is_not_there_is_exit_code_3(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setattr("certpipe.cli.follow.MOST_FAILURES", 0)
    result = run(*command, "--url", "http://127.0.0.1:1")
    # The demo's party is not this server's, so that upload asks for one first.
    if command[0] == "upload":
        assert "--party" in result.stderr
        result = run(*command, "--party", str(PARTY), "--url", "http://127.0.0.1:1")
    assert result.exit_code == 3
    assert "make up" in result.stderr


def test_a_token_is_refused_in_production(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CERTPIPE_ENVIRONMENT", "production")
    result = run("token")
    assert result.exit_code == 2
    assert "identity provider" in result.stderr


@pytest.mark.parametrize("command", ["migrate", "doctor", "token"])
def test_a_setting_that_cannot_be_is_named_and_not_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("CERTPIPE_HTTP_PORT", "hunter2")
    result = run(command)
    assert result.exit_code == 2
    assert "CERTPIPE_HTTP_PORT" in result.stderr
    assert "hunter2" not in result.output


@pytest.mark.parametrize(
    ("name", "value", "command"),
    [
        ("CERTPIPE_DATABASE_URL", "mysql://u:hunter2@h/x", ("migrate",)),
        ("CERTPIPE_DATABASE_URL", "postgresql://u:hunter2@h:port/x", ("migrate",)),
        ("CERTPIPE_AMQP_URL", "http://u:hunter2@h", ("topology", "apply")),
        ("CERTPIPE_AMQP_URL", "hunter2", ("topology", "verify")),
    ],
)
def test_a_url_of_a_server_that_cannot_be_is_named_and_not_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv(name, value)
    result = run(*command)
    assert result.exit_code == 2
    assert name in result.stderr
    assert "hunter2" not in result.output


@pytest.mark.parametrize(
    ("name", "value", "command"),
    [
        ("CERTPIPE_DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/x", ("migrate",)),
        ("CERTPIPE_DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/x", ("migrate", "--check")),
        ("CERTPIPE_AMQP_URL", "amqp://u:hunter2@127.0.0.1:1", ("topology", "apply")),
        ("CERTPIPE_AMQP_URL", "amqp://u:hunter2@127.0.0.1:1", ("topology", "verify")),
    ],
)
def test_a_database_or_broker_that_is_not_there_is_exit_code_3(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv(name, value)
    result = run(*command)
    assert result.exit_code == 3, result.output
    assert "→" in result.stderr
    assert "hunter2" not in result.output


@pytest.mark.parametrize("command", ["upload", "check"])
def test_a_closed_standard_input_is_told(files: Path, command: str) -> None:
    program = [sys.executable, "-c", "from certpipe.cli import main; main()"]
    kind = ["--kind", "fiel"]
    call = [*program, command, "cer", "key", *kind, "--password-stdin"]
    more = ["--url", "http://127.0.0.1:1", "--party", str(ORGANIZATION)] if command == "upload" else []
    shell = ["sh", "-c", 'exec "$@" <&-', "sh", *call, *more]
    done = subprocess.run(shell, cwd=files, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    assert "closed" in done.stderr
    assert "Traceback" not in done.stderr


def test_every_command_is_in_these_tables() -> None:
    assert {case[0][0] for case in WRONG} == set(COMMANDS)
