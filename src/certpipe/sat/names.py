"""X.501 names as SAT writes them: Ñ as a latin-1 byte in a TeletexString, double UTF-8 in a PrintableString.

General-purpose libraries refuse such names; this reader decodes them tolerantly and never raises on a character.
"""

import unicodedata
from dataclasses import dataclass

from certpipe.sat.der import BIT_STRING, OID, SEQUENCE, SET, DerError, Element

COMMON_NAME = bytes.fromhex("550403")
ORGANIZATION = bytes.fromhex("55040a")
UNIT = bytes.fromhex("55040b")
NAME = bytes.fromhex("550429")
UNIQUE_IDENTIFIER = bytes.fromhex("55042d")

_UTF8_STRING = 12
_TELETEX_STRING = 20
_BMP_STRING = 30
_MOST_ATTRIBUTES = 64
_LONGEST_TEXT = 256


@dataclass(frozen=True, slots=True)
class Name:
    """A distinguished name: its attributes in order, as (content of the type's OID, text)."""

    attributes: tuple[tuple[bytes, str], ...]

    def first(self, oid: bytes) -> str | None:
        """The first value of this attribute, or None."""
        return next((text for kind, text in self.attributes if kind == oid), None)

    def all(self, oid: bytes) -> tuple[str, ...]:
        """Every value of this attribute."""
        return tuple(text for kind, text in self.attributes if kind == oid)


def read(element: Element) -> Name:
    """Read a Name (a SEQUENCE of SETs of type and value). Raises `DerError` when it is not one."""
    attributes: list[tuple[bytes, str]] = []
    sequence = element.inside()
    while sequence.rest:
        attribute_set = sequence.enter(SET)
        while attribute_set.rest:
            if len(attributes) == _MOST_ATTRIBUTES:
                raise DerError("a name with too many attributes")
            attribute = attribute_set.enter(SEQUENCE)
            kind, value = attribute.take(OID).content, attribute.read()
            attribute.finish()
            attributes.append((kind, text(value)))
    return Name(tuple(attributes))


def text(element: Element) -> str:
    """The text of one value: by its type where that works, else latin-1.

    Control and formatting characters (line ends, right-to-left overrides) become U+FFFD: the text goes into logs,
    tables and web pages. At most 256 characters.
    """
    raw = element.content
    if element.tag == BIT_STRING:
        raw = raw[1:]
    try:
        decoded = raw.decode(_codec(element.tag))
    except UnicodeDecodeError:
        decoded = raw.decode("latin-1")
    shown = decoded[:_LONGEST_TEXT]
    return shown if shown.isprintable() else "".join(map(_shown, shown))


def _codec(tag: int) -> str:
    if tag == _UTF8_STRING:
        return "utf-8"
    if tag == _TELETEX_STRING:
        return "cp1252"
    return "utf-16-be" if tag == _BMP_STRING else "ascii"


def _shown(character: str) -> str:
    return "\ufffd" if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else character
