"""Which server, and with which token."""

import json
from pathlib import Path

import pytest

from certpipe.cli.connection import check_url, connect, redact
from certpipe.cli.failure import CommandError

HOME = "http://127.0.0.1:8480"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("CERTPIPE_URL", "CERTPIPE_TOKEN", "CERTPIPE_ALLOW_HTTP"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CERTPIPE_DATA_DIR", str(tmp_path))
    return tmp_path


def demo(folder: Path) -> None:
    document = {"url": HOME, "token": "dev.token", "parties": {"fiel": "1", "csd": "2"}}
    (folder / "dev.json").write_text(json.dumps(document))


def test_the_demo_is_used_when_nothing_else_is_said(folder: Path) -> None:
    demo(folder)
    found = connect(None, None)
    assert (found.url, found.token, found.parties) == (HOME, "dev.token", {"fiel": "1", "csd": "2"})


def test_the_demo_token_and_parties_never_go_to_another_server(folder: Path) -> None:
    demo(folder)
    found = connect("https://certpipe.example.com", None)
    assert (found.token, found.parties) == (None, {})


def test_the_environment_wins_over_the_demo_and_an_option_over_both(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo(folder)
    monkeypatch.setenv("CERTPIPE_URL", "https://one.example.com/")
    monkeypatch.setenv("CERTPIPE_TOKEN", "one")
    assert connect(None, None).url == "https://one.example.com"
    assert connect(None, None).token == "one"
    (folder / "token").write_text("two\n")
    found = connect("https://two.example.com", folder / "token")
    assert (found.url, found.token) == ("https://two.example.com", "two")


def test_a_token_is_in_no_representation(folder: Path) -> None:
    demo(folder)
    assert "dev.token" not in repr(connect(None, None))


def test_without_any_server_it_says_how_to_name_one(folder: Path) -> None:
    del folder
    with pytest.raises(CommandError) as caught:
        connect(None, None)
    assert "make up" in str(caught.value.hint)


@pytest.mark.parametrize("text", ["", "{", "[]", '"text"', "\xff"])
def test_a_damaged_demo_file_is_said_to_be_damaged(folder: Path, text: str) -> None:
    (folder / "dev.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CommandError, match="damaged"):
        connect(None, None)


def test_a_data_folder_that_is_a_file_is_said_to_be_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "file").write_text("x")
    monkeypatch.setenv("CERTPIPE_DATA_DIR", str(folder / "file"))
    with pytest.raises(CommandError, match="not a folder"):
        connect(None, None)


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "señal"])
def test_what_cannot_be_a_token_is_refused_and_not_shown(folder: Path, token: str) -> None:
    (folder / "token").write_text(token)
    with pytest.raises(CommandError) as caught:
        connect(HOME, folder / "token")
    assert token not in caught.value.message


@pytest.mark.parametrize(
    "url", ["", "certpipe", "ftp://x", "http://", "https://x:port", "https://x?y=1", "https://x#y", "http://[::1"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(CommandError, match="address"):
        check_url(url)


def test_an_address_with_a_password_is_refused_and_not_shown() -> None:
    with pytest.raises(CommandError) as caught:
        check_url("https://me:hunter2@x")
    assert "hunter2" not in caught.value.message + str(caught.value.hint)


def test_secrets_go_over_http_to_this_machine_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CERTPIPE_ALLOW_HTTP", raising=False)
    for here in ("http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1", "https://far.example.com"):
        assert check_url(here) == here
    with pytest.raises(CommandError, match="in clear"):
        check_url("http://far.example.com")
    monkeypatch.setenv("CERTPIPE_ALLOW_HTTP", "1")
    assert check_url("http://far.example.com") == "http://far.example.com"


def test_a_url_is_shown_without_its_user_and_password() -> None:
    shown = redact("postgresql://user:hunter2@db.example.com:5432/certpipe?password=hunter2")
    assert shown == "postgresql://db.example.com:5432/certpipe"
    assert redact("amqp://u:hunter2@[::1") == "(not a URL)"
