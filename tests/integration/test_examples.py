"""What the example producers would publish opens here. Each runs as its reader would run it, with `--dry-run`."""

import base64
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from certpipe.core.bundle import Bundle
from certpipe.core.errors import Rejected
from certpipe.core.uploads import Box, BoxBinding
from certpipe.crypto.keymaking import init_keys
from certpipe.crypto.opening import BoxOpener
from certpipe.crypto.sealing import SealingKeys
from schemas.upload import SealFormat, UploadMessage
from tests.languages import EXAMPLES, LANGUAGES, fault

pytestmark = pytest.mark.timeout(600)  # a language may have to be installed first
PASSWORD = 'Ñandú "12345678a" \\ 😀 '
CERTIFICATE, KEY = os.urandom(1_500), os.urandom(65_536)
ORGANIZATION, PARTY = uuid4(), uuid4()


@pytest.fixture(params=LANGUAGES)
def command(request: pytest.FixtureRequest) -> tuple[str, ...]:
    if said := fault(LANGUAGES[request.param]):
        pytest.skip(said)
    program, script = LANGUAGES[request.param].command
    return program, str(EXAMPLES / script)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    init_keys(folder)
    return folder


@pytest.fixture
def certpipe(keys: Path) -> Iterator[str]:
    """The one route that a producer needs."""
    document = SealingKeys.from_folder(keys).document.model_dump_json().encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/v1/sealing-keys" else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(document)))
            self.end_headers()
            self.wfile.write(document)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def produce(command: tuple[str, ...], certpipe: str, folder: Path, *more: str, stdin: bytes = b"") -> UploadMessage:
    (folder / "my.cer").write_bytes(CERTIFICATE)
    (folder / "my.key").write_bytes(KEY)
    options = {
        "certpipe": certpipe,
        "organization": ORGANIZATION,
        "party": PARTY,
        "kind": "fiel",
        "certificate": folder / "my.cer",
        "key": folder / "my.key",
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    done = subprocess.run([*command, *arguments, "--dry-run", *more], input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return UploadMessage.model_validate_json(done.stdout)


def opened(message: UploadMessage, keys: Path, organization: UUID = ORGANIZATION) -> Bundle:
    assert message.sealed is not None
    text, format_ = message.sealed.ciphertext, message.sealed.format
    ciphertext = base64.b64decode(text, validate=True) if format_ is SealFormat.HPKE else text.encode()
    box = Box(format_, message.sealed.kid, ciphertext)
    return BoxOpener.from_folder(keys).open(box, BoxBinding(message.upload_id, organization))


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"], ids=["no-line-break", "line-break", "windows-line-break"])
def test_what_an_example_seals_opens_here(
    command: tuple[str, ...], certpipe: str, keys: Path, tmp_path: Path, end: bytes
) -> None:
    message = produce(command, certpipe, tmp_path, stdin=PASSWORD.encode() + end)
    bundle = opened(message, keys)
    assert (bundle.certificate, bundle.private_key, bundle.password) == (CERTIFICATE, KEY, PASSWORD)
    assert (message.party_id, message.kind, message.upload_id.version) == (PARTY, "fiel", 7)
    with pytest.raises(Rejected):
        opened(message, keys, uuid4())


def test_an_example_takes_the_password_from_a_file_and_the_upload_id_that_it_is_given(
    command: tuple[str, ...], certpipe: str, keys: Path, tmp_path: Path
) -> None:
    secret, upload_id = tmp_path / "password.txt", uuid4()
    secret.write_text(PASSWORD, "utf-8")
    message = produce(command, certpipe, tmp_path, f"--password-file={secret}", f"--upload-id={upload_id}")
    assert message.upload_id == upload_id
    assert opened(message, keys).password == PASSWORD


def test_an_example_without_its_arguments_says_which_are_missing(command: tuple[str, ...]) -> None:
    done = subprocess.run(command, input=b"", capture_output=True, check=False)
    assert done.returncode == 2
    assert b"--party" in done.stderr


def test_an_example_prints_json_without_the_password(
    command: tuple[str, ...], certpipe: str, keys: Path, tmp_path: Path
) -> None:
    message = produce(command, certpipe, tmp_path, stdin=b"canary-9f8e7d6c")
    assert opened(message, keys).password == "canary-9f8e7d6c"
    assert "canary" not in json.dumps(message.model_dump(mode="json"))
