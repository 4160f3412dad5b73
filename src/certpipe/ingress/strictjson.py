"""JSON as RFC 8259 means it, and no further: what is ambiguous is refused."""

import json
from typing import Any, NoReturn


class DuplicateMemberError(ValueError):
    """An object has a member twice, so that two readers could read two things."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise DuplicateMemberError("a member comes twice")
    return members


def _no_constant(_name: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def parse_object(body: bytes) -> dict[str, Any]:
    """The one JSON object that `body` is, in UTF-8 without a byte order mark.

    Raises `ValueError` whose text says nothing of the body (`DuplicateMemberError` for a repeated member).
    """
    try:
        value = _DECODER.decode(body.decode())
    except DuplicateMemberError:
        raise
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - one kind of error for every body that is no object
    return value


def is_clean(text: str) -> bool:
    """Whether `text` can be written in UTF-8: no lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
