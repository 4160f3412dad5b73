"""Deletes what has had its time."""

import asyncio
import logging
from typing import Final

from certpipe.core.clock import Clock
from certpipe.core.errors import Unavailable
from certpipe.core.ports.webhooks import Deliveries

log: Final = logging.getLogger(__name__)

EVERY: Final = 60.0


class Tidier:
    """Tidies the deliveries every minute, beside those who deliver. Several may run."""

    def __init__(self, deliveries: Deliveries, clock: Clock) -> None:
        self._deliveries, self._clock = deliveries, clock

    async def run(self, stopping: asyncio.Event) -> None:
        """Tidy until `stopping` is set."""
        while not await self._clock.wait(EVERY, until=stopping):
            try:
                await self._deliveries.tidy(self._clock.now())
            except Unavailable as away:
                log.warning("cannot tidy the log of deliveries now", extra={"codes": str(away)})
