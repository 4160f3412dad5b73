"""What a receiver answers, read with suspicion. Pure."""

import codecs
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from certpipe.notify.schedule import LONGEST

EXCERPT_BYTES: Final = 1_024
_NO_TEXT: Final = dict.fromkeys({*range(32), *range(0x7F, 0xA0)} - {9, 10, 13}, "\ufffd")
"""Control characters: a database refuses the first of them, and a terminal obeys others."""

_SECONDS = re.compile(r"[0-9]{1,20}")
_MOST_HEADER = 100


def excerpt(content: bytes) -> str | None:
    """The first 1,024 bytes as text, without a character that was cut through; None when there are none."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return decoder.decode(content[:EXCERPT_BYTES], final=len(content) <= EXCERPT_BYTES).translate(_NO_TEXT) or None


def seconds_asked(retry_after: str | None, now: datetime) -> float | None:
    """What a `Retry-After` asks for, in seconds or as an HTTP date; a day at the most, None when it is no sense."""
    text = (retry_after or "").strip()
    if _SECONDS.fullmatch(text):
        return min(float(text), LONGEST)
    if not text or len(text) > _MOST_HEADER:
        return None
    try:
        until = parsedate_to_datetime(text)
        # Without a zone (`-0000`) it is meant as UTC.
        seconds = ((until if until.tzinfo else until.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, OverflowError):
        return None
    return min(seconds, LONGEST) if seconds > 0 else None
