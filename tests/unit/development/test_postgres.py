"""Where the embedded PostgreSQL puts what it needs."""

import tempfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from certpipe.development.postgres import EmbeddedPostgres


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
