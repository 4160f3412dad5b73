"""The command line against a real HTTP server that answers like the API."""

import json

from schemas.status import UploadPage
from tests.integration.cli.conftest import PASSWORD, TOKEN, Run
from tests.integration.cli.fake_api import FakeApi, Reply
from tests.unit.cli.samples import ORGANIZATION, PARTY, UPLOAD, at_step, rejected

UPLOAD_PATH = f"/v1/uploads/{UPLOAD}"
ACCEPTED = Reply(202, at_step(0), {"Location": UPLOAD_PATH, "ETag": '"0"'})


def upload(*more: str) -> tuple[str, ...]:
    return ("upload", "cer", "key", "--kind", "fiel", "--password-file", "password", *more)


def test_an_upload_is_sent_followed_and_told(api: FakeApi, run: Run) -> None:
    api.answers("POST /v1/uploads", ACCEPTED)
    api.answers(f"GET {UPLOAD_PATH}", Reply(200, at_step(1), {"ETag": '"1"'}))
    api.answers(f"GET {UPLOAD_PATH}?wait=20", Reply(304), Reply(200, at_step(4), {"ETag": '"4"'}))
    result = run(*upload())
    assert result.exit_code == 0, result.output
    told = [line.split()[1] for line in result.stdout.splitlines()[:5]]
    assert told == ["received", "validated", "encrypted", "stored", "forwarded"]
    assert "✓ forwarded  FIEL  EKU9003173C9" in result.stdout
    sent = api.received[0]
    assert sent.form == {
        "certificate": b"certificate bytes",
        "private_key": b"private key bytes",
        "password": PASSWORD.encode(),
        "party_id": str(PARTY).encode(),
        "kind": b"fiel",
    }
    assert sent.headers["Authorization"] == f"Bearer {TOKEN}"
    assert sent.headers["Idempotency-Key"]
    assert api.received[2].headers["If-None-Match"] == '"1"'


def test_a_rejected_upload_is_exit_code_1_and_told_in_both_languages(api: FakeApi, run: Run) -> None:
    api.answers("POST /v1/uploads", ACCEPTED)
    api.answers(f"GET {UPLOAD_PATH}", Reply(200, rejected(), {"ETag": '"1"'}))
    result = run(*upload())
    assert result.exit_code == 1
    for words in ("✗ rejected", "La contraseña no abre", "does not open", "wrong_password", "→ Es la de la llave"):
        assert words in result.stdout


def test_an_upload_that_is_not_waited_for_prints_its_id_alone(api: FakeApi, run: Run) -> None:
    api.answers("POST /v1/uploads", ACCEPTED)
    result = run(*upload("--no-wait"))
    assert (result.exit_code, result.stdout) == (0, f"{UPLOAD}\n")


def test_an_upload_as_json_prints_one_document_at_the_end(api: FakeApi, run: Run) -> None:
    api.answers("POST /v1/uploads", ACCEPTED)
    api.answers(f"GET {UPLOAD_PATH}", Reply(200, at_step(4), {"ETag": '"4"'}))
    result = run(*upload("--json"))
    assert json.loads(result.stdout)["state"] == "forwarded"


def test_an_upload_that_does_not_end_in_time_is_exit_code_4(api: FakeApi, run: Run) -> None:
    api.answers("POST /v1/uploads", ACCEPTED)
    api.answers(f"GET {UPLOAD_PATH}", Reply(200, at_step(1), {"ETag": '"1"'}))
    result = run(*upload("--wait", "0.2"))
    assert result.exit_code == 4
    assert f"certpipe watch {UPLOAD}" in result.stderr


def test_party_key_and_password_on_standard_input_are_taken(api: FakeApi, run: Run) -> None:
    api.answers("POST /v1/uploads", ACCEPTED)
    more = ("--party", str(UPLOAD), "--idempotency-key", "mine", "--password-stdin", "--no-wait")
    assert run("upload", "cer", "key", "--kind", "csd", *more, stdin=PASSWORD).exit_code == 0
    assert api.received[0].form["party_id"] == str(UPLOAD).encode()
    assert api.received[0].form["password"] == PASSWORD.encode()
    assert api.received[0].headers["Idempotency-Key"] == "mine"


def test_when_it_is_not_known_whether_it_arrived_the_key_to_try_again_is_told(api: FakeApi, run: Run) -> None:
    api.answers("POST /v1/uploads", Reply(502, "<h1>Bad gateway</h1>"))
    result = run(*upload("--idempotency-key", "mine"))
    assert result.exit_code == 3
    assert "--idempotency-key mine" in result.stderr


def test_the_certificate_itself_says_which_kind_it_is_or_the_caller_is_asked_to(api: FakeApi, run: Run) -> None:
    result = run("upload", "cer", "key", "--password-file", "password")
    assert result.exit_code == 2
    assert "--kind fiel or --kind csd" in result.stderr
    assert api.received == []


def test_a_status_is_told_with_the_exit_code_of_its_state(api: FakeApi, run: Run) -> None:
    api.answers(f"GET {UPLOAD_PATH}", Reply(200, at_step(2)), Reply(200, rejected()), Reply(200, at_step(4)))
    assert [run("status", str(UPLOAD)).exit_code for _ in range(3)] == [0, 1, 0]
    document = json.loads(run("status", str(UPLOAD), "--json").stdout)
    assert document["id"] == str(UPLOAD)


def test_uploads_are_listed_by_party_and_state_with_the_way_to_the_next_page(api: FakeApi, run: Run) -> None:
    page = UploadPage(items=(rejected(), at_step(4)), next=str(UPLOAD))
    api.answers("GET /v1/uploads", Reply(200, page))
    result = run("status", "--party", str(PARTY), "--state", "rejected", "--limit", "2")
    assert result.exit_code == 0
    assert "wrong_password" in result.stdout.splitlines()[0]
    assert f"--cursor {UPLOAD}" in result.stdout
    assert api.received[0].path == f"/v1/uploads?party_id={PARTY}&state=rejected&limit=2"
    api.answers("GET /v1/uploads", Reply(200, UploadPage(items=())))
    assert run("status").stdout == "no uploads.\n"


def test_watching_as_json_prints_each_change_on_a_line(api: FakeApi, run: Run) -> None:
    api.answers(f"GET {UPLOAD_PATH}", Reply(200, at_step(1), {"ETag": '"1"'}))
    api.answers(f"GET {UPLOAD_PATH}?wait=20", Reply(200, at_step(4), {"ETag": '"4"'}))
    lines = run("watch", str(UPLOAD), "--json").stdout.splitlines()
    assert [json.loads(line)["state"] for line in lines] == ["validated", "forwarded"]


def test_organizations_parties_and_producers_are_put_shown_and_listed(api: FakeApi, run: Run) -> None:
    mine = {"id": str(ORGANIZATION), "rfc": "EKU9003173C9", "name": "Escuela Kemper"}
    ours = {**mine, "organization_id": str(ORGANIZATION), "kind": "entry"}
    for path, shown in ((f"/v1/organizations/{ORGANIZATION}", mine), (f"/v1/parties/{PARTY}", ours)):
        api.answers(f"PUT {path}", Reply(201, shown))
        api.answers(f"GET {path}", Reply(200, shown))
    api.answers("GET /v1/organizations", Reply(200, {"items": [mine]}))
    api.answers("GET /v1/parties", Reply(200, {"items": [ours]}), Reply(200, {"items": []}))
    api.answers(f"PUT /v1/organizations/{ORGANIZATION}/producers/erp@mx", Reply(200, {"user": "erp@mx"}))
    said = ("--rfc", "EKU9003173C9", "--name", "Escuela Kemper")
    assert run("org", "put", str(ORGANIZATION), *said).exit_code == 0
    assert "Escuela Kemper" in run("org", "show", str(ORGANIZATION)).stdout
    assert str(ORGANIZATION) in run("org", "list").stdout
    assert run("org", "producer", str(ORGANIZATION), "erp@mx", "--clear").exit_code == 0
    assert api.received[-1].document == {"may_send_clear": True}
    assert run("party", "put", str(PARTY), "--organization", str(ORGANIZATION), "--kind", "entry", *said).exit_code == 0
    assert api.received[-1].document == {
        "organization_id": str(ORGANIZATION), "kind": "entry", "rfc": "EKU9003173C9", "name": "Escuela Kemper"
    }  # fmt: skip
    assert json.loads(run("party", "show", str(PARTY), "--json").stdout) == ours
    assert "entry" in run("party", "list").stdout
    assert run("party", "list", "--organization", str(ORGANIZATION)).stdout == "none.\n"
