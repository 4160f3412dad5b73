"""Where the embedded PostgreSQL puts what it needs."""

import os
import pwd
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from certpipe.development.postgres import EmbeddedPostgres, _as


def _socket(server: EmbeddedPostgres) -> str:
    return parse_qs(urlsplit(server.url).query)["host"][0] + "/.s.PGSQL.5432"


@pytest.mark.parametrize("temporary", ["/t", "/var/folders/" + "long/" * 30])
@pytest.mark.parametrize("folder", ["/d", "/home/somebody/" + "deep/" * 30])
def test_the_path_of_the_socket_is_never_longer_than_a_socket_may_have(
    folder: str, temporary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", temporary)
    assert len(_socket(EmbeddedPostgres(Path(folder)))) <= 103


def test_two_folders_that_are_too_long_share_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/var/folders/" + "long/" * 30)
    deep = Path("/home/somebody/" + "deep/" * 30)
    assert _socket(EmbeddedPostgres(deep / "one")) != _socket(EmbeddedPostgres(deep / "other"))


def test_the_servers_user_finds_programs_in_a_folder_that_is_closed_to_others(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    program = closed / "program"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    user = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    look = [
        sys.executable,
        "-c",
        "import os, sys; sys.exit(not os.access(sys.argv[1], os.R_OK | os.X_OK))",
        str(program),
    ]
    assert subprocess.run([*_as(user), *look], check=False).returncode == 0
