"""What others say of a bundle that we gave them, without the bundle: they may quote our request, in any notation."""

import html
import json
import re
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Final

from certpipe.core.bundle import Bundle

STRUCK: Final = "[…]"
_RUN = re.compile(r"[A-Za-z0-9+/=_-]{48,}")
"""Base64 that is longer than any word or number of a provider's: of the key, or of the certificate."""

CUT: Final = "…"
"""The end of words that were longer: perhaps in the midst of a password."""


def _of(escapes: str, begun: str) -> re.Pattern[str]:
    return re.compile(rf"(?P<whole>{escapes})|(?P<begun>{begun})(?={CUT}\Z)|.", re.DOTALL | re.IGNORECASE)


def _from_json(escaped: str) -> str:
    return str(json.loads(f'"{escaped.lower()}"')).encode("utf-16", "surrogatepass").decode("utf-16", "ignore")


def _from_url(escaped: str) -> str:
    return " " if escaped == "+" else bytes.fromhex(escaped.replace("%", "")).decode(errors="ignore")


# How each notation escapes, how that may be cut, and what it stands for. No pattern is made of a secret: `re` keeps
# those that it made.
_NOTATIONS: Final[tuple[tuple[re.Pattern[str], Callable[[str], str]], ...]] = (
    (_of("(?!)", "(?!)"), str),
    (_of(r'(?:\\u[0-9a-f]{4}|\\["\\/bfnrt])+', r"\\(?:u[0-9a-f]{0,3})?"), _from_json),
    (_of(r"(?:%[0-9a-f]{2})+|\+", "%[0-9a-f]?"), _from_url),
    (_of("&(?:#[0-9]{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", "&#?[a-z0-9]{0,31}"), html.unescape),
)


def discreet(words: str, bundle: Bundle) -> str:
    """The same words, with the password and every long run of base64 struck out.

    So is the beginning of a password before `CUT`. Their characters may stand as they are, or escaped as in JSON, in
    URLs and forms, or in HTML. With them goes what is escaped right beside them.
    """
    secret = {at for notation in _NOTATIONS for at in _places(words, bundle.password, *notation)}
    return "".join(
        STRUCK if struck else "".join(words[at] for at in run)
        for struck, run in groupby(range(len(words)), secret.__contains__)
    )


def _places(words: str, password: str, escapes: re.Pattern[str], read: Callable[[str], str]) -> Iterator[int]:
    """Where something secret is, if this is how it was written."""
    pieces = list(escapes.finditer(words))
    texts = [read(piece["whole"]) if piece["whole"] else "" if piece["begun"] else piece[0] for piece in pieces]
    piece_of = [piece for piece, text in zip(pieces, texts, strict=True) for _ in text]
    for span in _spans("".join(texts), password):
        for at in span:
            yield from range(*piece_of[at].span())


def _spans(text: str, password: str) -> Iterator[range]:
    for run in _RUN.finditer(text):
        yield range(*run.span())
    at, end = text.find(password) if password else -1, 0
    while at >= 0:
        yield range(max(at, end), end := at + len(password))
        at = text.find(password, at + 1)
    if text.endswith(CUT):
        end = len(text) - len(CUT)
        sizes = range(len(password) - 1, 0, -1)
        yield range(end - next((size for size in sizes if text.endswith(password[:size], 0, end)), 0), end)
