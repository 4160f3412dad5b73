"""The sending half of hints: throttled, in transactions of its own, never in anybody's way."""

import asyncio
from contextlib import suppress

from certpipe.core.clock import Clock
from certpipe.core.errors import Unavailable
from certpipe.store.database import Database
from certpipe.store.named import queries

_SQL = queries("hints")
_PAUSE = 0.05


class Hinter:
    """Sends at most twenty hints a second: the first at once, then one for all that moved meanwhile.

    A NOTIFY makes commits wait for one another; in the settling transaction it would be paid by every batch.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._moved = False
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
                await self._clock.wait(_PAUSE)
        finally:
            self._task = None
