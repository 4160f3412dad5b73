"""What `certpipe doctor` looks at on this machine."""

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from certpipe.cli.findings import Finding, Verdict
from certpipe.cli.machine import examine, token_expiry
from certpipe.crypto.keymaking import init_keys
from certpipe.settings import Settings
from tests.unit.cli.samples import START


def token(**claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"e30.{payload}.c2ln"


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Finding]:
    """Look at one thing, with a data folder of one's own."""
    monkeypatch.setattr("certpipe.cli.machine.leave_no_core", lambda: None)
    monkeypatch.setattr("certpipe.cli.machine.is_dumpable", lambda: False)
    for name in ("CERTPIPE_KEYS_DIR", "CERTPIPE_LOG_LEVEL", "CERTPIPE_ENVIRONMENT", "CERTPIPE_EXTRA_ANCHORS"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("CERTPIPE_DATA_DIR", str(folder))

    def at(name: str) -> Finding:
        return next(finding for finding in examine(Settings(), None, START) if finding.name == name)

    return at


Look = Callable[[str], Finding]


def test_a_good_machine_has_nothing_wrong(look: Look, tmp_path: Path) -> None:
    init_keys(tmp_path / "data" / "keys")
    for name in ("python", "data folder", "keys", "SAT anchors", "core dumps", "log level"):
        assert look(name).verdict is Verdict.OK, look(name)


def test_an_open_data_folder_is_told_with_its_remedy(look: Look, tmp_path: Path) -> None:
    (tmp_path / "data").chmod(0o755)
    assert look("data folder").verdict is Verdict.WARNING
    assert "chmod 700" in str(look("data folder").hint)


def test_a_key_folder_that_cannot_be_looked_at_is_wrong(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CERTPIPE_KEYS_DIR", "k" * 300)
    assert look("keys").verdict is Verdict.WRONG
    assert "name too long" in look("keys").found


def test_a_data_folder_of_another_version_is_wrong(look: Look, tmp_path: Path) -> None:
    (tmp_path / "data" / "VERSION").write_text("999\n")
    assert look("data folder").verdict is Verdict.WRONG
    assert "999" in look("data folder").found


def test_a_data_folder_that_is_a_file_or_missing_is_told_as_such(look: Look, tmp_path: Path) -> None:
    (tmp_path / "data").rmdir()
    assert look("data folder").verdict is Verdict.SKIPPED
    (tmp_path / "data").touch()
    assert look("data folder").verdict is Verdict.WRONG


def test_missing_open_and_damaged_keys_are_told_with_their_remedy(look: Look, tmp_path: Path) -> None:
    keys = tmp_path / "data" / "keys"
    assert look("keys").verdict is Verdict.SKIPPED
    init_keys(keys)
    key = next(keys.glob("wrapping-*.key"))
    key.chmod(0o644)
    assert (look("keys").verdict, "chmod 600" in str(look("keys").hint)) == (Verdict.WRONG, True)
    key.chmod(0o600)
    key.write_bytes(b"short")
    assert look("keys").verdict is Verdict.WRONG
    key.unlink()
    assert look("keys").verdict is Verdict.WARNING
    assert "wrapping" in look("keys").found


@pytest.mark.parametrize("content", [None, b"\xff", b"{}", b"[1]"])
def test_extra_anchors_that_cannot_be_loaded_are_told(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    monkeypatch.setenv("CERTPIPE_EXTRA_ANCHORS", str(tmp_path / "extra.json"))
    if content is not None:
        (tmp_path / "extra.json").write_bytes(content)
    assert look("SAT anchors").verdict is Verdict.WRONG
    assert look("SAT anchors").hint


def test_debug_in_production_is_warned_of_and_a_level_that_is_none_is_wrong(
    look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CERTPIPE_ENVIRONMENT", "production")
    monkeypatch.setenv("CERTPIPE_LOG_LEVEL", "debug")
    assert look("log level").verdict is Verdict.WARNING
    monkeypatch.setenv("CERTPIPE_LOG_LEVEL", "loud")
    assert look("log level").verdict is Verdict.WRONG


def test_a_machine_that_cannot_forbid_core_dumps_is_wrong(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("certpipe.cli.machine.is_dumpable", lambda: True)
    assert look("core dumps").verdict is Verdict.WRONG


@pytest.mark.parametrize(
    ("ahead", "verdict"),
    [
        (timedelta(hours=1), Verdict.OK),
        (timedelta(minutes=1), Verdict.WARNING),
        (timedelta(0), Verdict.WRONG),
        (timedelta(days=-1), Verdict.WRONG),
    ],
)
def test_a_token_is_judged_by_its_expiry(ahead: timedelta, verdict: Verdict) -> None:
    found = token_expiry(token(exp=(START + ahead).timestamp()), START)
    assert found.verdict is verdict


@pytest.mark.parametrize("text", ["x", "a.b.c", "a.W10.c", token(), token(exp="soon"), token(exp=1e300)])
def test_what_is_no_token_with_an_expiry_is_wrong_and_not_shown(text: str) -> None:
    found = token_expiry(text, START)
    assert found.verdict is Verdict.WRONG
    assert text not in found.found.split()
