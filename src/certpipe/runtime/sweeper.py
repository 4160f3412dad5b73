"""The one clock behind every retry, every lost message and every broker that was away."""

import asyncio
import logging
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

    async def run(self, stopping: asyncio.Event) -> None:
        """Sweep until `stopping` is set."""
        tidied, told = self._clock.now(), False
        while not stopping.is_set():
            try:
                full = await self._publish_due()
                if (self._clock.now() - tidied).total_seconds() >= TIDY_EVERY:
                    tidied = self._clock.now()
                    await self._backlog.sweep()
                if told:
                    told = False
                    log.info("sweeping again")
            except Unavailable as away:
                full = False
                if not told:  # once: it is asked every second
                    told = True
                    log.warning("cannot sweep now", extra={"codes": str(away)})
            if not full:
                await self._clock.wait(self._every, until=stopping)

    async def _publish_due(self) -> bool:
        """True when there may be more. Nothing is leased while the broker is away, so nothing is late after."""
        if not self._publisher.ready:
            return False
        await self._backlog.release()
        due = await self._backlog.due(BATCH)
        rounds = [self._dispatcher.dispatch(stage, refs) for stage, refs in due.items() if refs]
        await asyncio.gather(*rounds)
        return sum(len(refs) for refs in due.values()) >= BATCH
