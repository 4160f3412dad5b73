"""The hearing half of hints."""

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from certpipe.core.clock import Clock
from certpipe.core.retry import Backoff
from certpipe.store.failures import AWAY
from certpipe.store.migrate import Connection, DatabaseRefusedError, connect
from certpipe.store.named import queries

_ALIVE = queries("hints")["alive"]
_CHANNEL = "certpipe"
_PATIENCE = 5.0
_CANNOT: tuple[type[Exception], ...] = (*AWAY, DatabaseRefusedError)


@dataclass(frozen=True, slots=True)
class StoreHints:
    """Listens on one connection of its own: a pool would drop the listener when it takes its connection back.

    Attributes:
        url: of the database itself; LISTEN does not work through a pooler of transactions.
        probe_every: seconds between two questions whether the server still answers. A server that died without a word
            is noticed by nothing else.
    """

    url: str = field(repr=False)
    clock: Clock
    probe_every: float = 15.0
    backoff: Backoff = field(default_factory=lambda: Backoff(first=0.2, most=3.0, attempts=sys.maxsize))

    async def listen(self, heard: Callable[[], None], stopping: asyncio.Event) -> None:
        """As the port says. `heard` is also called at each new connection: what was missed is looked up then."""
        failures = 0
        while not stopping.is_set():
            try:
                connection = await connect(self.url)
            except _CANNOT:
                failures += 1
            else:
                failures = 1
                await self._hear(connection, heard, stopping)
            await self.clock.wait(self.backoff.delay(failures) or 0.0, until=stopping)

    async def _hear(self, connection: Connection, heard: Callable[[], None], stopping: asyncio.Event) -> None:
        """Until the connection is lost or `stopping` is set."""
        wake = asyncio.Event()
        watching = asyncio.create_task(_pass_on(stopping, wake))
        connection.add_termination_listener(lambda _: wake.set())
        try:
            with suppress(*AWAY):
                await connection.add_listener(_CHANNEL, lambda *_: heard())
                heard()
                while not await self.clock.wait(self.probe_every, until=wake):
                    await connection.execute(_ALIVE, timeout=_PATIENCE)
        finally:
            watching.cancel()
            with suppress(*AWAY):
                await connection.close(timeout=_PATIENCE)


async def _pass_on(first: asyncio.Event, second: asyncio.Event) -> None:
    await first.wait()
    second.set()
