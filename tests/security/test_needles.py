"""The search for secrets finds what it is to find: without that, finding nothing means nothing."""

import base64
import random
from pathlib import Path

import pytest

from tests.security.needles import Needles

CHANCE = random.Random(7)  # noqa: S311 - hay, not a secret
SECRET = CHANCE.randbytes(600)
HAY = CHANCE.randbytes(3_000_000)
NEEDLES = Needles(SECRET, b"correct-horse-battery-staple-93")


def planted(piece: bytes, at: int) -> bytes:
    return HAY[:at] + piece + HAY[at + len(piece) :]


@pytest.mark.parametrize("offset", range(9))
def test_sixteen_bytes_are_found_wherever_they_begin(offset: int) -> None:
    for at in (0, 1_048_568, 2_999_975):
        assert NEEDLES.found_in(planted(SECRET[100 + offset : 116 + offset], at + offset))


@pytest.mark.parametrize("offset", range(3))
def test_base64_is_found_at_every_offset(offset: int) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert NEEDLES.found_in(planted(encode(b"x" * offset + SECRET[200:230]), 77))


def test_hex_and_texts_are_found() -> None:
    assert NEEDLES.found_in(planted(SECRET[40:60].hex().encode(), 5))
    assert NEEDLES.found_in(planted(SECRET[40:60].hex().upper().encode(), 6))
    assert NEEDLES.found_in(b'{"password": "correct-horse-battery-staple-93"}')


def test_what_is_not_there_is_not_found() -> None:
    assert not NEEDLES.found_in(HAY)
    assert not NEEDLES.found_in(planted(SECRET[100:108] + bytes(8), 64))


def test_files_are_read_and_named(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "clean").write_bytes(HAY)
    (tmp_path / "deep" / "planted").write_bytes(planted(SECRET[:20], 99))
    (tmp_path / "correct-horse-battery-staple-93").touch()
    assert {path.name for path in NEEDLES.files_with(tmp_path)} == {"planted", "correct-horse-battery-staple-93"}
