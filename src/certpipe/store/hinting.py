"""The sending half of hints: throttled, in transactions of its own, never in anybody's way."""

import asyncio
from contextlib import suppress

from certpipe.core.clock import Clock
from certpipe.core.errors import Unavailable
from certpipe.store.database import Database
from certpipe.store.named import queries

_SQL = queries("hints")
_PAUSE = 0.05
_SHORT_PAUSE = 0.005
_CREDIT = 8.0


class Hinter:
    """Sends the first hint at once, and then one for all that moved meanwhile: at most twenty a second for long.

    After a quiet moment a few come faster, so that one upload on its way through the stages is told of at each.
    A NOTIFY makes commits wait for one another; in the settling transaction it would be paid by every batch.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._moved = False
        self._credit, self._counted = _CREDIT, clock.now()
        self._task: asyncio.Task[None] | None = None

    def hint(self) -> None:
        """Something moved. Returns at once and never raises."""
        self._moved = True
        if self._task is None:
            self._task = asyncio.create_task(self._send())

    async def close(self) -> None:
        """Send what is left. Idempotent."""
        if self._task is not None:
            await self._task

    async def _send(self) -> None:
        try:
            while self._moved:
                self._moved = False
                with suppress(Unavailable):  # polling finds it
                    await self._database.execute(_SQL["hint"])
                await self._clock.wait(self._pause())
        finally:
            self._task = None

    def _pause(self) -> float:
        """A short one for as long as there is credit, which comes back with time: one hint for each long pause."""
        now = self._clock.now()
        earned = max(0.0, (now - self._counted).total_seconds()) / _PAUSE
        self._counted = now
        self._credit = max(0.0, min(_CREDIT, self._credit + earned) - 1)
        return _SHORT_PAUSE if self._credit >= 1 else _PAUSE
