"""Writing DER: what the authority needs, since no library writes a TeletexString."""

import re
from datetime import UTC, datetime

_PRINTABLE = re.compile(r"[A-Za-z0-9 '()+,\-./:=?]*")


def tlv(tag: int, *parts: bytes) -> bytes:
    """One element around these parts."""
    content = b"".join(parts)
    length = len(content)
    if length < 0x80:  # noqa: PLR2004 - the short form
        return bytes((tag, length)) + content
    size = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(size))) + size + content


def sequence(*parts: bytes) -> bytes:
    """A SEQUENCE."""
    return tlv(0x30, *parts)


def integer(value: int) -> bytes:
    """An INTEGER that is not negative."""
    return tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1))


def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER."""
    first, second, *rest = map(int, dotted.split("."))
    content = bytearray()
    for arc in (40 * first + second, *rest):
        groups = [arc & 0x7F]
        while arc := arc >> 7:
            groups.append(0x80 | arc & 0x7F)
        content += bytes(reversed(groups))
    return tlv(0x06, bytes(content))


def null() -> bytes:
    """A NULL."""
    return tlv(0x05)


def octets(content: bytes) -> bytes:
    """An OCTET STRING."""
    return tlv(0x04, content)


def bits(content: bytes, unused: int = 0) -> bytes:
    """A BIT STRING."""
    return tlv(0x03, bytes((unused,)), content)


def text(value: str) -> bytes:
    """A PrintableString; a TeletexString of latin-1 bytes as soon as one character asks for it. That is SAT's way."""
    if _PRINTABLE.fullmatch(value):
        return tlv(0x13, value.encode("ascii"))
    return tlv(0x14, value.encode("cp1252"))


def ia5(value: str) -> bytes:
    """An IA5String."""
    return tlv(0x16, value.encode("ascii"))


def utf8(value: str) -> bytes:
    """A UTF8String."""
    return tlv(0x0C, value.encode())


def utc_time(instant: datetime) -> bytes:
    """A UTCTime with seconds."""
    return tlv(0x17, instant.astimezone(UTC).strftime("%y%m%d%H%M%SZ").encode())


def name(*attributes: tuple[str, bytes]) -> bytes:
    """A Name of single-valued sets: (dotted type, encoded value)."""
    return sequence(*(tlv(0x31, sequence(oid(kind), value)) for kind, value in attributes))
