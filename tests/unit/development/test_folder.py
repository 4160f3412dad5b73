"""The data folder: ours alone, of one version."""

from pathlib import Path

import pytest

from certpipe.crypto.keymaking import init_keys
from certpipe.development.folder import VERSION, data_folder
from certpipe.starting import RefusedToStart


def test_a_new_folder_gets_the_version_and_is_closed_to_others(tmp_path: Path) -> None:
    with data_folder(tmp_path / "new") as folder:
        assert (folder / "VERSION").read_text().strip() == VERSION
        assert folder.stat().st_mode & 0o077 == 0


def test_keys_that_were_made_before_the_first_start_are_kept(tmp_path: Path) -> None:
    init_keys(tmp_path / "new" / "keys")
    before = sorted((tmp_path / "new" / "keys").iterdir())
    with data_folder(tmp_path / "new") as folder:
        assert (folder / "VERSION").exists()
        assert folder.stat().st_mode & 0o077 == 0
    assert sorted((tmp_path / "new" / "keys").iterdir()) == before


def test_somebody_elses_folder_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").touch()
    with pytest.raises(RefusedToStart, match="CERTPIPE_DATA_DIR"), data_folder(tmp_path):
        pass
    assert [entry.name for entry in tmp_path.iterdir()] == ["letter.txt"]


def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    with data_folder(tmp_path), pytest.raises(RefusedToStart, match="make down"), data_folder(tmp_path):
        pass


def test_a_folder_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "VERSION").write_text("0\n")
    with pytest.raises(RefusedToStart, match="version 0"), data_folder(tmp_path):
        pass
