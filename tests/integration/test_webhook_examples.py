"""The example receivers take what we sign and nothing else. Each runs as its reader would run it."""

import base64
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from certpipe.core.ports.webhooks import SigningKeys
from certpipe.development.ports import free_ports, is_free
from certpipe.notify.signing import Signer
from schemas.event_examples import example
from schemas.events import EventType
from tests.languages import EXAMPLES, RECEIVERS, Language, fault

pytestmark = pytest.mark.timeout(600)  # a language may have to be installed first
PATIENCE = 60.0
KNOW_ED25519 = ("node", "php", "go", "java")  # in their standard libraries
EVENT = example(EventType.REJECTED)  # its Spanish message has letters beyond ASCII: the body must be taken as bytes
BODY = EVENT.body()
OLD, NEW, FOREIGN = (SigningKeys(os.urandom(32), os.urandom(32)) for _ in range(3))


def secret(keys: SigningKeys) -> str:
    return f"whsec_{base64.b64encode(keys.hmac).decode()}"


def public_key(keys: SigningKeys) -> str:
    public = Ed25519PrivateKey.from_private_bytes(keys.ed25519).public_key()
    return f"whpk_{base64.b64encode(public.public_bytes_raw()).decode()}"


def signed(signer: Signer, *, ago: timedelta = timedelta(0), only: str = "") -> dict[str, str]:
    """Headers of one attempt; `only` with the signatures that begin so."""
    headers = signer.headers(EVENT.id, datetime.now(UTC) - ago, BODY)
    kept = [each for each in headers["webhook-signature"].split(" ") if each.startswith(only)]
    return headers | {"webhook-signature": " ".join(kept)}


@dataclass(frozen=True)
class Receiver:
    """One that runs: its port, and the file of all it prints."""

    port: int
    output: Path

    def answer(self, headers: Mapping[str, str], body: bytes = BODY) -> int:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request("POST", "/", body, {"content-type": "application/json", **headers})
            return connection.getresponse().status
        finally:
            connection.close()


@contextmanager
def started(language: Language, folder: Path, keys: str) -> Iterator[Receiver]:
    (port,) = free_ports(1)
    output = folder / "output.txt"
    fill = {"folder": folder, "port": port}
    if language.build:
        subprocess.run([word.format(**fill) for word in language.build], cwd=EXAMPLES, check=True)
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [word.format(**fill) for word in language.command],
            cwd=EXAMPLES,
            env={**os.environ, "WEBHOOK_KEYS": keys},
            stdout=stream,
            stderr=stream,
        )
    try:
        until = time.monotonic() + PATIENCE
        while is_free(port):
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < until, "it does not listen"
        yield Receiver(port, output)
    finally:
        process.kill()
        process.wait()


@pytest.fixture(params=RECEIVERS)
def name(request: pytest.FixtureRequest) -> str:
    if said := fault(RECEIVERS[request.param]):
        pytest.skip(said)
    language: str = request.param
    return language


def test_a_receiver_takes_what_is_ours_and_refuses_the_rest(name: str, tmp_path: Path) -> None:
    ours, foreign = Signer(NEW), Signer(FOREIGN)
    in_rotation = Signer(FOREIGN, NEW, datetime.now(UTC) + timedelta(hours=1))
    good = signed(ours)
    with started(RECEIVERS[name], tmp_path, f"{secret(OLD)} {secret(NEW)}") as receiver:
        taken = {
            "what is ours": receiver.answer(good),
            "the same again": receiver.answer(good),
            "by the old secret, too": receiver.answer(signed(Signer(OLD))),
            "two signatures, ours second": receiver.answer(signed(in_rotation)),
            "four minutes old": receiver.answer(signed(ours, ago=timedelta(minutes=4))),
        }
        refused = {
            "a changed byte": receiver.answer(good, BODY.replace(b"wrong", b"Wrong")),
            "a missing byte": receiver.answer(good, BODY[:-1]),
            "nothing": receiver.answer(good, b""),
            "another id": receiver.answer(good | {"webhook-id": "evt_0_0"}),
            "another time": receiver.answer(good | {"webhook-timestamp": str(int(good["webhook-timestamp"]) - 60)}),
            "six minutes old": receiver.answer(signed(ours, ago=timedelta(minutes=6))),
            "six minutes early": receiver.answer(signed(ours, ago=-timedelta(minutes=6))),
            "a foreign secret": receiver.answer(signed(foreign)),
            "v1a, which it has no key for": receiver.answer(signed(ours, only="v1a,")),
            "no headers": receiver.answer({}),
            "no signature": receiver.answer({key: good[key] for key in good if key != "webhook-signature"}),
            "strange signatures": receiver.answer(good | {"webhook-signature": "v1 v1, , v1,% v2,AAAA v1a,AAAA é"}),
            "a strange time": receiver.answer(good | {"webhook-timestamp": "-1e9"}),
        }
        assert receiver.answer(good) == 204, "it serves after all that"
    assert taken == dict.fromkeys(taken, 204)
    assert refused == dict.fromkeys(refused, 401)
    assert receiver.output.read_text("utf-8", "replace").count(f"{EVENT.id} ") == len(taken) + 1


@pytest.mark.parametrize("name", KNOW_ED25519, indirect=True)
def test_a_receiver_with_a_public_key_needs_no_secret(name: str, tmp_path: Path) -> None:
    ours = signed(Signer(NEW), only="v1a,")
    with started(RECEIVERS[name], tmp_path, public_key(NEW)) as receiver:
        assert receiver.answer(signed(Signer(NEW))) == 204
        assert receiver.answer(ours) == 204
        assert receiver.answer(ours, BODY.replace(b"wrong", b"Wrong")) == 401
        assert receiver.answer(signed(Signer(FOREIGN))) == 401
        assert receiver.answer(ours | {"webhook-signature": "v1a v1a, v1a,% v1a,AAAA"}) == 401
        assert receiver.answer(signed(Signer(NEW), ago=timedelta(minutes=6), only="v1a,")) == 401


def test_a_receiver_without_keys_takes_nothing(name: str, tmp_path: Path) -> None:
    """It does not start, or refuses everything: an empty secret would be one that everybody knows."""
    empty = Signer(SigningKeys(b"", NEW.ed25519))
    try:
        with started(RECEIVERS[name], tmp_path, " ") as receiver:
            assert receiver.answer(signed(empty)) >= 400
    except AssertionError:
        assert "WEBHOOK_KEYS" in (tmp_path / "output.txt").read_text("utf-8", "replace")
