"""Reading what the caller names."""

import io
import sys
from pathlib import Path

import pytest

from certpipe.cli.failure import CommandError
from certpipe.cli.files import MOST_BYTES, read_bytes, read_password


class Stdin(io.TextIOWrapper):
    """Standard input with these bytes, and no terminal."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))


def test_each_way_in_which_a_file_cannot_be_read_has_its_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "large").write_bytes(b"x" * (MOST_BYTES + 1))
    for name, sentence in {"none": "does not exist", ".": "is a folder", "empty": "is empty", "large": "KiB"}.items():
        with pytest.raises(CommandError, match=sentence):
            read_bytes(tmp_path / name, "certificate")
    with pytest.raises(CommandError, match="cannot be read"):
        read_bytes(Path("a\0b"), "certificate")


@pytest.mark.parametrize("content", [b"clave", b"clave\n", b"clave\r\n", b"\xef\xbb\xbfclave\n"])
def test_one_line_break_and_a_byte_order_mark_are_no_part_of_the_password(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p").write_bytes(content)
    assert read_password(from_stdin=False, file=tmp_path / "p") == "clave"


def test_a_password_may_hold_spaces_line_breaks_and_windows_letters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "p").write_bytes(b" a\nb \n")
    assert read_password(from_stdin=False, file=tmp_path / "p") == " a\nb "
    monkeypatch.setattr(sys, "stdin", Stdin("contraseñá".encode("cp1252")))
    assert read_password(from_stdin=True, file=None) == "contraseñá"


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_an_empty_password_is_refused(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(content))
    with pytest.raises(CommandError, match="empty"):
        read_password(from_stdin=True, file=None)


def test_a_closed_or_missing_standard_input_is_said_to_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = Stdin(b"")
    closed.close()
    for stream in (closed, None):
        monkeypatch.setattr(sys, "stdin", stream)
        with pytest.raises(CommandError, match="closed"):
            read_password(from_stdin=True, file=None)
        with pytest.raises(CommandError, match="no terminal"):
            read_password(from_stdin=False, file=None)


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Stdin(b"clave\n"))
    with pytest.raises(CommandError) as caught:
        read_password(from_stdin=False, file=None)
    assert "--password-stdin" in str(caught.value.hint)


def test_two_sources_of_a_password_are_one_too_many(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="one too many"):
        read_password(from_stdin=True, file=tmp_path)
