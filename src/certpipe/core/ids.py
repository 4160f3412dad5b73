"""UUIDv7 (RFC 9562), strictly growing within a process, so that an id is also an order of arrival."""

import os
import threading
import time
from uuid import UUID

_LOCK = threading.Lock()
_COUNTER_BITS = 42
_last: tuple[int, int] = (0, 0)


def uuid7() -> UUID:
    """A new id: 48 bits of milliseconds, a 42-bit counter (RFC 9562 §6.2, method 1), 32 random bits."""
    global _last  # noqa: PLW0603 - the counter is the one state that a monotonic generator must keep
    with _LOCK:
        milliseconds, counter = time.time_ns() // 1_000_000, 0
        if milliseconds <= _last[0]:
            milliseconds, counter = _last[0], _last[1] + 1
            if counter >> _COUNTER_BITS:
                milliseconds, counter = milliseconds + 1, 0
        if counter == 0:
            counter = int.from_bytes(os.urandom(6)) >> 7
        _last = (milliseconds, counter)
    tail = int.from_bytes(os.urandom(4))
    return UUID(
        int=milliseconds << 80 | 0x7 << 76 | (counter >> 30) << 64 | 0x2 << 62 | (counter & 0x3FFF_FFFF) << 32 | tail
    )
