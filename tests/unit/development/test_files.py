"""Private files."""

import stat
from pathlib import Path

from certpipe.development.files import write_private


def test_a_private_file_is_for_its_owner_alone_even_where_an_open_one_stood(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("old")
    file.chmod(0o644)
    write_private(file, "new")
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_nothing_else_is_left_beside_it(tmp_path: Path) -> None:
    write_private(tmp_path / "secret", "text")
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]
