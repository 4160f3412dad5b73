"""The RFC, a taxpayer's code: its pattern and its check digit."""

import re
import unicodedata

from schemas.directory import RFC_PATTERN

_PATTERN = re.compile(RFC_PATTERN)
_ALPHABET = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ Ñ"
_BODY = 12


def normal(text: str) -> str:
    """Upper case, NFC, without surrounding blanks: the form in which RFCs are compared."""
    return unicodedata.normalize("NFC", text.strip().upper())


def is_rfc(text: str) -> bool:
    """Whether this normal text has the form of an RFC."""
    return _PATTERN.fullmatch(text) is not None


def has_right_check_digit(rfc: str) -> bool:
    """Whether the last character follows from the others. About 1.5 % of living RFCs have a wrong one."""
    body = rfc[:-1].rjust(_BODY)
    total = sum(_ALPHABET.index(character) * (_BODY + 1 - place) for place, character in enumerate(body))
    return rfc[-1] == "0123456789A"[(11 - total % 11) % 11]
