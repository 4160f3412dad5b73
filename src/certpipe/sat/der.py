"""A small strict DER reader (X.690): definite minimal lengths, one-byte tags, no recursion, no copy of what is skipped.

It reads only where its caller asks it to, so nesting costs nothing and time is linear in the bytes that are read.
"""

from typing import NamedTuple, Self

INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
NULL = 0x05
OID = 0x06
BOOLEAN = 0x01
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18
SEQUENCE = 0x30
SET = 0x31

_LONG_TAG = 0x1F
_LONG_FORM = 0x80
_MOST_LENGTH_BYTES = 4
_MOST_OID_BYTES = 40


class DerError(ValueError):
    """The bytes are not the DER that was expected. The text holds no input."""


class Element(NamedTuple):
    """One tag-length-value: its tag, where it starts, where its contents start and where they end.

    A tuple, because a certificate and its key make a hundred of them.
    """

    data: bytes
    tag: int
    start: int
    body: int
    end: int

    def __repr__(self) -> str:
        return f"<element {self.tag:#04x}>"

    @property
    def content(self) -> bytes:
        """The contents, without tag and length."""
        return self.data[self.body : self.end]

    @property
    def encoded(self) -> bytes:
        """The whole element, as it stands."""
        return self.data[self.start : self.end]

    def inside(self) -> "Reader":
        """Read what it contains."""
        return Reader(self.data, self.body, self.end)


class Reader:
    """A cursor over one stretch of bytes. Every method raises `DerError` when it meets something else."""

    __slots__ = ("_at", "_data", "_end")

    def __init__(self, data: bytes, start: int = 0, end: int | None = None) -> None:
        self._data = data
        self._at = start
        self._end = len(data) if end is None else end

    @property
    def rest(self) -> int:
        """How many bytes are left."""
        return self._end - self._at

    def peek(self) -> int | None:
        """The next tag, or None at the end."""
        return self._data[self._at] if self._at < self._end else None

    def read(self) -> Element:
        """The next element, whatever it is."""
        data, start = self._data, self._at
        if self._end - start < 2:  # noqa: PLR2004 - a tag and a length
            raise DerError("cut short")
        tag, length, body = data[start], data[start + 1], start + 2
        if tag & _LONG_TAG == _LONG_TAG:
            raise DerError("a tag of several bytes")
        if length >= _LONG_FORM:
            count = length - _LONG_FORM
            if not 1 <= count <= _MOST_LENGTH_BYTES or self._end - body < count:
                raise DerError("an indefinite or overlong length")
            length = int.from_bytes(data[body : body + count])
            if length < _LONG_FORM or data[body] == 0:
                raise DerError("a length that is not minimal")
            body += count
        end = body + length
        if end > self._end:
            raise DerError("cut short")
        self._at = end
        return Element(data, tag, start, body, end)

    def take(self, tag: int) -> Element:
        """The next element, which must have this tag."""
        if self.peek() != tag:
            raise DerError("another type")
        return self.read()

    def enter(self, tag: int = SEQUENCE) -> Self:
        """A reader over the contents of the next element, which must have this tag."""
        element = self.take(tag)
        return type(self)(element.data, element.body, element.end)

    def integer(self, *, most_bytes: int) -> int:
        """A minimally encoded INTEGER of at most so many bytes."""
        content = self.take(INTEGER).content
        if not content or len(content) > most_bytes:
            raise DerError("an integer out of range")
        if len(content) > 1 and (content[0], content[1] >> 7) in {(0x00, 0), (0xFF, 1)}:
            raise DerError("an integer that is not minimal")
        return int.from_bytes(content, signed=True)

    def oid(self) -> str:
        """An OBJECT IDENTIFIER, dotted."""
        return dotted(self.take(OID).content)

    def null(self) -> None:
        """A NULL."""
        if self.take(NULL).content:
            raise DerError("a NULL with contents")

    def finish(self) -> None:
        """Nothing may be left."""
        if self._at != self._end:
            raise DerError("trailing data")


def dotted(content: bytes) -> str:
    """The dotted form of an OBJECT IDENTIFIER's contents; raises `DerError`."""
    if not content or content[-1] & 0x80 or len(content) > _MOST_OID_BYTES:
        raise DerError("a malformed object identifier")
    arcs: list[int] = []
    value, fresh = 0, True
    for byte in content:
        if fresh and byte == 0x80:  # noqa: PLR2004 - padding, which DER forbids
            raise DerError("a malformed object identifier")
        value, fresh = value << 7 | byte & 0x7F, not byte & 0x80
        if fresh:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))
