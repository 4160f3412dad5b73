"""The one clock behind every retry, every lost message and every broker that was away."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from certpipe.core.clock import Clock
from certpipe.core.errors import Unavailable
from certpipe.core.ports.broker import Publisher
from certpipe.core.ports.runtime import Backlog, Dispatcher

log: Final = logging.getLogger(__name__)

BATCH: Final = 500
TIDY_EVERY: Final = 60.0


class Sweeper:
    """Publishes what is due, every second; deletes what has had its time, every minute. Several may run."""

    def __init__(
        self, *, backlog: Backlog, dispatcher: Dispatcher, publisher: Publisher, clock: Clock, every: float = 1.0
    ) -> None:
        self._backlog, self._dispatcher, self._publisher = backlog, dispatcher, publisher
        self._clock, self._every = clock, every
        self._tidied = clock.now()

    async def run(self, stopping: asyncio.Event) -> None:
        """Sweep until `stopping` is set."""
        told = False
        while not stopping.is_set():
            full, away = await self._tick()
            if away and not told:  # once: it is asked every second
                log.warning("cannot sweep now", extra={"codes": str(away[0])})
            elif told and not away:
                log.info("sweeping again")
            told = bool(away)
            if not full:
                await self._clock.wait(self._every, until=stopping)

    async def _tick(self) -> tuple[bool, Sequence[Unavailable]]:
        """Whether there may be more at once, and what failed: what stops one part stops none of the others."""
        full, away = False, []
        for part in (self._let_go, self._publish_due, self._tidy):
            try:
                full = bool(await part()) or full
            except Unavailable as error:
                away.append(error)
        return full, away

    async def _let_go(self) -> None:
        if self._publisher.ready:
            await self._backlog.release()

    async def _publish_due(self) -> bool:
        """True when there may be more. Nothing is leased while the broker is away, so nothing is late after."""
        if not self._publisher.ready:
            return False
        due = await self._backlog.due(BATCH)
        rounds = [self._dispatcher.dispatch(stage, refs) for stage, refs in due.items() if refs]
        await asyncio.gather(*rounds)
        return sum(len(refs) for refs in due.values()) >= BATCH

    async def _tidy(self) -> None:
        if (self._clock.now() - self._tidied).total_seconds() >= TIDY_EVERY:
            self._tidied = self._clock.now()
            await self._backlog.sweep()
