"""Keeps the gates of one process in step with what all processes know of the services."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from certpipe.core.clock import Clock
from certpipe.core.errors import Unavailable
from certpipe.core.ports.services import Services
from certpipe.runtime.gate import ServiceGate
from schemas.services import ServiceState

log: Final = logging.getLogger(__name__)
EVERY: Final = 1.0


class Gatekeeper:
    """Once a second, one small query for all uploads and services together."""

    def __init__(self, services: Services, gates: Sequence[ServiceGate], clock: Clock) -> None:
        self._services, self._gates, self._clock = services, gates, clock

    async def run(self, stopping: asyncio.Event) -> None:
        """Until `stopping` is set. While the database is away, the gates stay as they are."""
        registered = False
        while not stopping.is_set():
            try:
                if not registered:
                    await self._services.register({gate.name: gate.limits.per_second for gate in self._gates})
                    registered = True
                await self.once()
            except Unavailable as away:
                log.debug("cannot look at the services now", extra={"codes": str(away)})
            await self._clock.wait(EVERY, until=stopping)

    async def once(self) -> None:
        """Find out what hangs, tell that, and that this process lives where it matters; learn. Raises `Unavailable`."""
        for gate in self._gates:
            gate.watch()
        for gate in self._gates:
            await gate.tell()
        tides = [gate.turn_of_the_tide for gate in self._gates]
        standing = await self._services.standing()
        if any(each.state is not ServiceState.CLOSED for each in standing.values()):
            await self._services.present([gate.name for gate in self._gates])
        for gate, tide in zip(self._gates, tides, strict=True):
            # Where it was shut meanwhile, what was read may be older.
            if gate.name in standing and gate.turn_of_the_tide == tide:
                gate.learn(standing[gate.name])
