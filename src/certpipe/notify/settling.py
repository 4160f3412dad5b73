"""Writes down what became of attempts: together, and until it is written."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from certpipe.core.clock import Clock
from certpipe.core.errors import Unavailable, place
from certpipe.core.ports.webhooks import Attempted, Deliveries, Health

log: Final = logging.getLogger(__name__)

MOST: Final = 500
PAUSE: Final = 1.0
LAST_TRIES: Final = 5


class Settler:
    """Results that come while some are being written are written next, in one go: an idle system waits for nothing.

    While the database is away they are kept. What is lost with the process is sent again when its lease ends.
    """

    def __init__(self, deliveries: Deliveries, clock: Clock) -> None:
        self._deliveries, self._clock = deliveries, clock
        self._attempted: list[Attempted] = []
        self._health: dict[UUID, Health] = {}
        self._writing: dict[UUID, Health] = {}
        self._there = asyncio.Event()
        self._closing = asyncio.Event()
        self._away = False

    def __len__(self) -> int:
        """How many results are kept."""
        return len(self._attempted)

    def knows_better(self, endpoint_id: UUID) -> bool:
        """Whether how the endpoint stands has not been written yet."""
        return endpoint_id in self._health or endpoint_id in self._writing

    def put(self, attempted: Attempted | None, health: Health | None) -> None:
        """To be written soon. `health`: how the endpoint stands now, where that has changed."""
        if attempted is not None:
            self._attempted.append(attempted)
        if health is not None:
            self._health[health.endpoint_id] = health
        self._there.set()

    def close(self) -> None:
        """Let `run` end when all is written, or the database stays away."""
        self._closing.set()
        self._there.set()

    async def run(self) -> None:
        """Write until closed."""
        while True:
            await self._there.wait()
            self._there.clear()
            while self._attempted or self._health:
                attempted, self._writing, self._health = self._attempted[:MOST], self._health, {}
                if not await self._insist(attempted, list(self._writing.values())):
                    return
                self._writing = {}
                del self._attempted[: len(attempted)]
            if self._closing.is_set():
                return

    async def _insist(self, attempted: Sequence[Attempted], health: Sequence[Health]) -> bool:
        """False when it was given up, because it is time to end."""
        last_tries = LAST_TRIES
        while True:
            try:
                await self._write(attempted, health)
            except Unavailable as away:
                if not self._away:
                    self._away = True
                    log.warning("results of deliveries cannot be written now", extra={"codes": str(away)})
            else:
                if self._away:
                    self._away = False
                    log.info("results of deliveries are written again")
                return True
            if self._closing.is_set():
                last_tries -= 1
                if not last_tries:
                    log.warning("results of deliveries are left; they will be sent again")
                    return False
            await self._clock.wait(PAUSE)

    async def _write(self, attempted: Sequence[Attempted], health: Sequence[Health]) -> None:
        """All of it, but for what is a defect alone: that is found by halving, and its neighbours are written."""
        try:
            await self._deliveries.settle(attempted, health, now=self._clock.now())
        except Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - one result that cannot be written must not hold up all others
            if len(attempted) + len(health) <= 1:
                log.error("the result of a delivery cannot be written", extra={"defect": place(error)})
            elif health:
                await self._write(attempted, ())
                for each in health:
                    await self._write((), [each])
            else:
                half = len(attempted) // 2
                await self._write(attempted[:half], ())
                await self._write(attempted[half:], ())
