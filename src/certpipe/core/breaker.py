"""When a service is left alone, and for how long: arithmetic on what its answers were. Nothing here waits or writes."""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID

from certpipe.core.errors import AccountRefused, Unavailable, Uncertain
from certpipe.core.retry import Backoff

NO_END = 1 << 30


class Fault(StrEnum):
    """How a service failed an upload.

    `away`: it did not take it, or nobody knows. `asked`: it asked us to wait, and said for how long. `refused`: it does
    not take our account. `forbidden`: our account may not do this, or not for this certificate.
    """

    AWAY = "away"
    ASKED = "asked"
    REFUSED = "refused"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class BreakerRules:
    """When to open, for how long, and when to close.

    Attributes:
        in_a_row: so many uploads, each another one, that fail on end open it.
        share: so does this share of all calls within `window` seconds, where there were `least`.
        away: how long it stays open, by how many times it was opened on end.
        refused: the same where our account was refused: trying again may lock it.
        silent: seconds without any answer after which it is opened, where `in_a_row` have been under way for so long.
            Of a service whose answers usually take longer than a third of that, three times as long as they take.
        good: so many probes that are answered close it.
        probe: seconds after which a probe that has not ended is given up for the next.
        most_asked: seconds of a `Retry-After` that are honoured.
    """

    in_a_row: int = 5
    share: float = 0.5
    least: int = 20
    window: float = 30.0
    silent: float = 10.0
    away: Backoff = field(default_factory=lambda: Backoff(first=1.0, most=4.0, attempts=NO_END))
    refused: Backoff = field(default_factory=lambda: Backoff(first=300.0, most=3600.0, attempts=NO_END))
    good: int = 2
    probe: float = 6.0
    most_asked: float = 3600.0

    def open_for(self, fault: Fault, openings: int, *, asked: float | None = None) -> float:
        """Seconds for the `openings`-th opening on end (1 is the first). What the service asked for is the least."""
        backoff = self.refused if fault in {Fault.REFUSED, Fault.FORBIDDEN} else self.away
        return backoff.delay(openings, at_least=min(asked or 0.0, self.most_asked)) or 0.0


class Breaker:
    """Counts for one service that is closed, in one process; `now` is any clock in seconds."""

    def __init__(self, rules: BreakerRules) -> None:
        self._rules = rules
        self._failed_on_end: set[UUID] = set()
        self._calls: deque[tuple[float, bool]] = deque()
        self._bad = 0

    def answered(self, now: float) -> None:
        """It answered, with yes or no."""
        self._failed_on_end.clear()
        self._count(now, bad=False)

    def failed(self, fault: Fault, upload: UUID, now: float) -> bool:
        """It failed that upload; true when it is to be opened.

        One upload that fails again and again is no reason: it may be the fault of that one.
        """
        self._count(now, bad=True)
        self._failed_on_end.add(upload)
        if fault in {Fault.ASKED, Fault.REFUSED}:
            return True
        if fault is Fault.FORBIDDEN and self._bad == len(self._calls):
            return True
        if len(self._failed_on_end) >= self._rules.in_a_row:
            return True
        many = len(self._calls) >= self._rules.least and len(self._failed_on_end) > 1
        return many and self._bad >= self._rules.share * len(self._calls)

    def reset(self) -> None:
        """It was closed: begin again."""
        self._failed_on_end.clear()
        self._calls.clear()
        self._bad = 0

    def _count(self, now: float, *, bad: bool) -> None:
        self._calls.append((now, bad))
        self._bad += bad
        while self._calls[0][0] < now - self._rules.window:
            _, was_bad = self._calls.popleft()
            self._bad -= was_bad


def fault_of(failure: Unavailable | Uncertain) -> Fault:
    """How the service failed."""
    match failure:
        case AccountRefused(at_all=True):
            return Fault.REFUSED
        case AccountRefused():
            return Fault.FORBIDDEN
        case Unavailable(retry_after=asked) if asked is not None:
            return Fault.ASKED
        case _:
            return Fault.AWAY
