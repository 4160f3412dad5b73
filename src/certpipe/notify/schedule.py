"""When a delivery is tried again: the schedule of Standard Webhooks 1.0.0. Pure."""

import random
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

_MINUTE, _HOUR = 60.0, 3_600.0
DELAYS: Final = (
    5.0,
    5 * _MINUTE,
    30 * _MINUTE,
    2 * _HOUR,
    5 * _HOUR,
    10 * _HOUR,
    14 * _HOUR,
    20 * _HOUR,
    24 * _HOUR,
)
"""Seconds between an attempt and the next: ten attempts within about 75 hours."""

LONGEST: Final = 24 * _HOUR
"""Seconds up to which a receiver's `Retry-After` is honoured."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The delays, and chance, so that what failed together does not come again together.

    Attributes:
        jitter: a delay is that share shorter or longer at the most (0.1: between 90 % and 110 %).
    """

    delays: tuple[float, ...] = DELAYS
    jitter: float = 0.1
    chance: random.Random = field(default_factory=random.SystemRandom, repr=False, compare=False)

    def delay(self, attempts: int, *, at_least: float | None = None) -> timedelta | None:
        """How long to wait after so many attempts (1 is the first), or None when the schedule is over.

        `at_least`: seconds that the receiver asked for. Jitter never makes it shorter than that.
        """
        if attempts > len(self.delays):
            return None
        delay = self.delays[attempts - 1] * (1 + self.jitter * (2 * self.chance.random() - 1))
        return timedelta(seconds=max(delay, min(at_least or 0.0, LONGEST)))

    def unspent(self, attempts: int) -> timedelta:
        """The same for attempts that were no fault of the receiver: they use the schedule up, but never end it."""
        return self.delay(min(attempts, len(self.delays))) or timedelta(seconds=LONGEST)
