"""The reader takes DER and nothing else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certpipe.sat.der import INTEGER, OID, DerError, Reader
from certpipe.simulators import der


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x30", b"\x30\x05ab", b"\x30\x80\x00\x00", b"\x30\x81\x05hello", b"\x30\x82\x00\x80" + b"x" * 128,
        b"\x1f\x81\x01\x00", b"\x30\x85\x00\x00\x00\x00\x01x", b"\x30\x84\xff\xff\xff\xff", b"\x30\x82\x01",
    ],
)  # fmt: skip
def test_what_is_not_der_is_refused(data: bytes) -> None:
    with pytest.raises(DerError):
        Reader(data).read()


@pytest.mark.parametrize("content", [b"", b"\x00\x01", b"\xff\x80", b"x" * 9])
def test_odd_integers_are_refused(content: bytes) -> None:
    with pytest.raises(DerError):
        Reader(der.tlv(INTEGER, content)).integer(most_bytes=8)


@given(st.integers(0, 2**63 - 1))
def test_integers_come_back(value: int) -> None:
    assert Reader(der.integer(value)).integer(most_bytes=8) == value


@pytest.mark.parametrize(
    "dotted", ["1.2.840.113549.1.1.1", "2.5.4.45", "2.16.840.1.101.3.4.1.42", "0.9.2342", "2.999.1"]
)
def test_object_identifiers_come_back(dotted: str) -> None:
    assert Reader(der.oid(dotted)).oid() == dotted


@pytest.mark.parametrize("content", [b"", b"\x80\x01", b"\x2a\x80\x01", b"\x2a\x86", b"\x2a" * 50])
def test_odd_object_identifiers_are_refused(content: bytes) -> None:
    with pytest.raises(DerError):
        Reader(der.tlv(OID, content)).oid()


def test_trailing_data_is_refused() -> None:
    reader = Reader(der.null() + b"\0")
    reader.null()
    with pytest.raises(DerError):
        reader.finish()


@given(st.binary(max_size=300))
def test_only_its_own_error_comes_out(data: bytes) -> None:
    reader = Reader(data)
    try:
        while reader.rest:
            reader.read()
    except DerError:
        pass
