"""From what was written down to what is told: gives events their place, at each hint and every second."""

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Final
from uuid import UUID

from certpipe.core.clock import Clock
from certpipe.core.errors import Unavailable
from certpipe.core.ports.events import Relay

log: Final = logging.getLogger(__name__)

BATCH: Final = 500


class RelayService:
    """Places what was committed, and wakes who delivers. Several may run.

    Attributes:
        relay: places, and tells all processes that the feed has grown.
        heard: is set when something was committed, and when it is time to stop; polling finds what hints miss.
        wake: is given the endpoints that have something new.
        every: seconds between two looks when no hint comes.
    """

    def __init__(
        self,
        *,
        relay: Relay,
        heard: asyncio.Event,
        wake: Callable[[Collection[UUID]], None],
        clock: Clock,
        every: float = 1.0,
    ) -> None:
        self._relay, self._heard = relay, heard
        self._wake = wake
        self._clock, self._every = clock, every
        self._away = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Relay until `stopping` is set."""
        while not stopping.is_set():
            self._heard.clear()
            full = True
            while full and not stopping.is_set():
                full = await self._place()
            if not stopping.is_set():
                await self._clock.wait(self._every, until=self._heard)

    async def _place(self) -> bool:
        """True when there may be more."""
        try:
            placed = await self._relay.place(BATCH, self._clock.now())
        except Unavailable as away:
            if not self._away:  # once: it is tried every second
                self._away = True
                log.warning("cannot place events now", extra={"codes": str(away)})
            return False
        if self._away:
            self._away = False
            log.info("placing events again")
        if placed.events:
            self._wake(placed.endpoints)
        return placed.events >= BATCH
