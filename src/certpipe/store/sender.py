"""A process that sends, as others can see it: whether it lives."""

import asyncio
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from certpipe.core.clock import Clock
from certpipe.core.retry import Backoff
from certpipe.store.failures import AWAY
from certpipe.store.migrate import DatabaseRefusedError, connect
from certpipe.store.named import queries

_SQL = queries("senders")
_PATIENCE = 5.0
_CANNOT: tuple[type[Exception], ...] = (*AWAY, DatabaseRefusedError)


@dataclass(frozen=True, slots=True)
class Sender:
    """Holds the lock of its number on a connection of its own, which ends with the process, however that ends.

    While the connection is lost the process counts as dead: what it is sending is then looked up before anybody else
    sends it.

    Attributes:
        url: of the database itself; a pooler of transactions would let the lock go.
        number: of this process, random.
        probe_every: seconds between two questions whether the server still answers.
    """

    url: str = field(repr=False)
    clock: Clock
    number: int = field(default_factory=lambda: secrets.randbits(62))
    probe_every: float = 15.0
    backoff: Backoff = field(default_factory=lambda: Backoff(first=0.2, most=3.0, attempts=sys.maxsize))

    @asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        """Hold it, from the beginning on where the database is there, until what runs inside has ended."""
        held, over = asyncio.Event(), asyncio.Event()
        holding = asyncio.create_task(self._keep(held, over))
        await self.clock.wait(_PATIENCE, until=held)
        try:
            yield
        finally:
            over.set()
            await holding

    async def _keep(self, held: asyncio.Event, over: asyncio.Event) -> None:
        failures = 0
        while not over.is_set():
            failures += 1
            with suppress(*_CANNOT):
                await self._hold(held, over)
            if held.is_set():
                failures = 1
            await self.clock.wait(self.backoff.delay(failures) or 0.0, until=over)

    async def _hold(self, held: asyncio.Event, over: asyncio.Event) -> None:
        held.clear()
        connection = await connect(self.url)
        try:
            await connection.execute(_SQL["hold"], self.number, timeout=_PATIENCE)
            held.set()
            while not await self.clock.wait(self.probe_every, until=over):
                await connection.execute(_SQL["alive"], timeout=_PATIENCE)
        finally:
            with suppress(*AWAY):
                await connection.close(timeout=_PATIENCE)
