"""How an endpoint stands: its failures on end, the pause that they earn, and when it has had its chance. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from certpipe.core.ports.webhooks import Health, Target
from schemas.webhooks import DisabledBecause

BREAKS_AT: Final = 5
"""Failures on end after which an endpoint is paused, and then probed by one delivery at a time."""

FIRST_PAUSE: Final = timedelta(seconds=5)
LONGEST_PAUSE: Final = timedelta(minutes=5)
CHANCE: Final = timedelta(days=5)
"""How long an endpoint may fail without one success."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one endpoint. A success makes it new."""

    failures: int = 0
    failing_since: datetime | None = None
    paused_until: datetime | None = None
    disable: DisabledBecause | None = None

    @classmethod
    def of(cls, target: Target) -> "Standing":
        """As it was written down."""
        return cls(target.failures, target.failing_since, target.paused_until)

    @property
    def broken(self) -> bool:
        """Whether only one delivery at a time may look if it has recovered."""
        return self.failures >= BREAKS_AT

    def paused(self, now: datetime) -> bool:
        """Whether nothing is to be sent now."""
        return self.disable is not None or (self.paused_until is not None and now < self.paused_until)

    def failed(self, began: datetime, now: datetime) -> "Standing":
        """After an attempt that began then and has failed now.

        Attempts that were on their way when the pause began tell nothing new: only those begun after it lengthen it.
        """
        if self.disable is not None or (self.paused_until is not None and began < self.paused_until):
            return self
        failures, since = self.failures + 1, self.failing_since or now
        if now - since >= CHANCE:
            return Standing(failures, since, None, DisabledBecause.FAILING)
        return Standing(failures, since, now + pause(failures) if failures >= BREAKS_AT else None)

    def gone(self, now: datetime) -> "Standing":
        """After a 410."""
        if self.disable is not None:
            return self
        return Standing(self.failures + 1, self.failing_since or now, None, DisabledBecause.GONE)

    def resting(self, until: datetime) -> "Standing":
        """Paused until then at the least, whatever its failures earn."""
        paused_until = until if self.paused_until is None else max(until, self.paused_until)
        return Standing(self.failures, self.failing_since, paused_until, self.disable)

    def health(self, target: Target) -> Health:
        """As it is written down."""
        return Health(target.id, target.changed_at, self.failures, self.failing_since, self.paused_until, self.disable)


def pause(failures: int) -> timedelta:
    """After so many failures on end, `BREAKS_AT` at least: 5 seconds, and each time twice that, to 5 minutes."""
    return min(FIRST_PAUSE * (1 << min(failures - BREAKS_AT, 16)), LONGEST_PAUSE)
