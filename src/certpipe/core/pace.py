"""How fast a service is used: so many hand-overs at once, so many begun per second. Arithmetic; nothing here waits."""

from collections.abc import Mapping
from dataclasses import dataclass

SOONEST = 1.0
LATEST = 60.0
AHEAD = 8
"""How many times as many as are under way may wait in memory for their turn; the rest waits in the database."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one service. `at_once`: hand-overs under way; `per_second`: hand-overs begun."""

    at_once: int
    per_second: float


class Pace:
    """What one process remembers of one service; `now` is any clock in seconds.

    Attributes:
        mean: seconds that a hand-over takes of late.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._next = 0.0
        self._put_off_until = 0.0
        self.mean = 0.1

    def begin(self, now: float, most: float) -> float:
        """Seconds until the next may begin, which is hereby promised to the caller, unless they are more than `most`.

        A tenth of a second's may bunch. A clock that was set back holds nobody up for longer than `most`.
        """
        self._next = min(max(self._next, now - 0.1), now + most + 1 / self.limits.per_second)
        wait = max(self._next - now, 0.0)
        if wait <= most:
            self._next += 1 / self.limits.per_second
        return wait

    def took(self, seconds: float) -> None:
        """One hand-over has ended after so many seconds."""
        self.mean += 0.1 * (seconds - self.mean)

    def room(self, present: int) -> int:
        """How many more may come in, where so many are under way or wait for their turn."""
        return max((1 + AHEAD) * self.limits.at_once - present, 0)

    @property
    def spacing(self) -> float:
        """Seconds per hand-over, as fast as it goes."""
        return max(1 / self.limits.per_second, self.mean / self.limits.at_once)

    def put_off(self, now: float) -> float:
        """Seconds after which those are to come that find no room now: behind those that were told so before."""
        delay = min(max(self._put_off_until - now, SOONEST), LATEST)
        self._put_off_until = now + delay
        return delay

    def promise(self, count: int) -> None:
        """So many were put off, one behind the other."""
        self._put_off_until += count * self.spacing


def parse_limits(text: str, names: Mapping[str, object]) -> Mapping[str, Limits]:
    """`name=AT_ONCE/PER_SECOND,…`. Raises `ValueError` with a sentence about what cannot be."""
    found = {}
    for word in filter(None, map(str.strip, text.split(","))):
        name, _, numbers = word.partition("=")
        at_once, _, per_second = numbers.partition("/")
        if name not in names:
            raise ValueError(f"there is no service `{name}`: there are {', '.join(names)}")
        try:
            limits = Limits(int(at_once), float(per_second))
        except ValueError:
            limits = Limits(0, 0)
        if limits.at_once < 1 or not 0 < limits.per_second < float("inf"):
            raise ValueError(f"`{word}` is not like efisco=4/2.5: hand-overs at once / begun per second")
        found[name] = limits
    return found
