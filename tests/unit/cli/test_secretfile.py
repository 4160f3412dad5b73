"""Secrets of webhooks in files."""

import stat
from pathlib import Path

import pytest

from certpipe.cli.failure import CommandError
from certpipe.cli.secretfile import local_secret, new_file, new_secret
from certpipe.notify.signing import secret_bytes


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CERTPIPE_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def test_a_missing_secret_is_made_for_its_owner_alone_and_is_the_same_from_then_on(tmp_path: Path) -> None:
    file = tmp_path / "mine"
    first = local_secret(file)
    assert first.made
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(secret_bytes(file.read_text())) == 32
    again = local_secret(file)
    assert (again.text, again.made, again.file) == (first.text, False, file)


def test_without_a_file_it_is_that_of_the_data_folder_and_without_one_it_is_kept_nowhere(data_folder: Path) -> None:
    assert local_secret(None).file is None
    assert not data_folder.exists()
    data_folder.mkdir()
    assert local_secret(None).file == data_folder / "webhook.secret"
    assert local_secret(None).text == local_secret(None).text


@pytest.mark.parametrize("content", ["hunter2", "whsec_", "whsec_hunter2", "whsec_aHVudGVyMg==", "whsec_ñ"])
def test_what_is_no_secret_is_told_and_never_shown(tmp_path: Path, content: str) -> None:
    file = tmp_path / "mine"
    file.write_text(content)
    with pytest.raises(CommandError, match="holds no secret of a webhook") as caught:
        local_secret(file)
    assert "hunter2" not in caught.value.message
    assert "aHVu" not in caught.value.message


def test_the_keys_follow_from_the_secret_and_neither_is_printed() -> None:
    secret = new_secret()
    assert secret.keys() == secret.keys()
    assert secret.keys() != new_secret().keys()
    assert secret.keys().hmac == secret_bytes(secret.text)
    assert secret.text not in repr(secret)


def test_a_file_that_is_there_already_stays_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "mine"
    file.write_text("the only copy")
    with pytest.raises(CommandError, match="exists already"), new_file(file):
        pytest.fail("it may not begin")
    assert file.read_text() == "the only copy"


def test_a_link_is_not_followed_and_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for file in (tmp_path / "link", tmp_path / "none" / "mine"):
        with pytest.raises(CommandError), new_file(file):
            pytest.fail("it may not begin")
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_that_nothing_was_written_to_is_gone(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="refused"), new_file(tmp_path / "mine"):
        raise CommandError("refused")
    assert not (tmp_path / "mine").exists()
