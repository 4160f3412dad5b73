"""A server, a folder with what a submitter has, and the command line as it is after `make up`."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from certpipe.cli import app
from tests.integration.cli.fake_api import FakeApi, fake_api
from tests.unit.cli.samples import ORGANIZATION, PARTY

PASSWORD = "correct horse battery"
TOKEN = "head.body.tail"
Run = Callable[..., Result]


@pytest.fixture
def api() -> Iterator[FakeApi]:
    with fake_api() as server:
        yield server


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with what a submitter has."""
    (tmp_path / "cer").write_bytes(b"certificate bytes")
    (tmp_path / "key").write_bytes(b"private key bytes")
    (tmp_path / "password").write_text(PASSWORD + "\n")
    (tmp_path / "empty").touch()
    (tmp_path / "token").write_text(TOKEN)
    return tmp_path


@pytest.fixture
def run(api: FakeApi, files: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command as after `make up`, in that folder."""
    for name in ("CERTPIPE_URL", "CERTPIPE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("certpipe.cli.upload.leave_no_core", lambda: None)
    demo = {"url": api.url, "token": TOKEN, "parties": {"fiel": str(PARTY), "csd": str(ORGANIZATION)}}
    (files / ".certpipe").mkdir()
    (files / ".certpipe" / "dev.json").write_text(json.dumps(demo))
    monkeypatch.chdir(files)

    def invoke(*arguments: str, stdin: str = "") -> Result:
        result = CliRunner().invoke(app, list(arguments), input=stdin)
        assert "Traceback" not in result.output
        assert PASSWORD not in result.output
        assert TOKEN not in result.output
        return result

    return invoke
