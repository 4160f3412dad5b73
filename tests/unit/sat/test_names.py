"""Names as SAT writes them are read, whatever the bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certpipe.sat import names
from certpipe.sat.der import DerError, Reader
from certpipe.simulators import der


@pytest.mark.parametrize(
    ("tag", "raw", "text"),
    [
        (19, b"ESCUELA", "ESCUELA"),
        (20, b"NU\xd1EZ \x80", "NUÑEZ €"),
        (20, b"\x81", "\ufffd"),
        (12, "ÑÁ".encode(), "ÑÁ"),
        (12, b"\xd1", "Ñ"),
        (19, "Administraci\u00c3\u00b3n".encode("latin-1"), "AdministraciÃ³n"),
        (22, b"a@b.mx", "a@b.mx"),
        (30, "ñu".encode("utf-16-be"), "ñu"),
        (30, b"odd", "odd"),
        (3, b"\x00EKU9003173C9", "EKU9003173C9"),
        (19, b"a\r\nb\x00", "a\ufffd\ufffdb\ufffd"),
        (12, "a\u202eb\u2028".encode(), "a\ufffdb\ufffd"),
        (19, b"x" * 300, "x" * 256),
    ],
)
def test_each_string_type_has_its_reading(tag: int, raw: bytes, text: str) -> None:
    assert names.text(Reader(der.tlv(tag, raw)).read()) == text


def test_a_set_of_several_attributes_is_read_in_order() -> None:
    pair = der.tlv(0x31, *(der.sequence(der.oid("2.5.4.11"), der.text(text)) for text in ("Uno", "Dos")))
    name = names.read(Reader(der.sequence(pair)).read())
    assert name.all(names.UNIT) == ("Uno", "Dos")
    assert name.first(names.UNIT) == "Uno"
    assert name.first(names.NAME) is None


def test_more_than_64_attributes_are_refused() -> None:
    with pytest.raises(DerError):
        names.read(Reader(der.name(*[("2.5.4.3", der.text("x"))] * 65)).read())


@given(st.integers(0, 30), st.binary(max_size=100))
def test_no_text_raises_and_none_can_break_a_line(tag: int, raw: bytes) -> None:
    shown = names.text(Reader(der.tlv(tag, raw)).read())
    assert len(shown.splitlines()) <= 1
