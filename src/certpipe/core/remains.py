"""What may be kept of a producer's message that died: it may hold a bundle in clear, which nothing may keep."""

import json
from collections.abc import Mapping
from typing import Any, Final

from schemas.upload import SealedBundle, UploadMessage

MOST_BYTES: Final = 512 * 1024
_MOST_CHARACTERS: Final = 100
_PLAIN: Final = frozenset(UploadMessage.model_fields) - {"clear", "sealed"}


def remains(body: bytes) -> Mapping[str, Any]:
    """Its short plain members and its box; of what is no JSON object, that there was something. Never raises."""
    note = {"bytes": len(body)}
    members = _members(body)
    if members is None:
        return note
    kept = {name: value for name, value in members.items() if name in _PLAIN and _is_short(value)}
    sealed = members.get("sealed")
    if isinstance(sealed, dict) and _is_box(sealed):
        kept["sealed"] = sealed
    return {**kept, **note}


def _members(body: bytes) -> dict[str, Any] | None:
    if len(body) > MOST_BYTES:
        return None
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _is_short(value: object) -> bool:
    return isinstance(value, bool | int) or (_is_plain(value) and len(str(value)) <= _MOST_CHARACTERS)


def _is_box(sealed: dict[str, Any]) -> bool:
    return sealed.keys() <= SealedBundle.model_fields.keys() and all(map(_is_plain, sealed.values()))


def _is_plain(value: object) -> bool:
    """A text that can be written anywhere. All that these members may hold is in ASCII."""
    return isinstance(value, str) and value.isascii() and value.isprintable()
