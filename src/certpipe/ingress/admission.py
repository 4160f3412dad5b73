"""Memory is given out before a body is read: many large uploads at once wait for their turn."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from certpipe.core.errors import Unavailable
from certpipe.ingress.problems import BUSY


class BytesInFlight:
    """At most `limit` bytes of bodies are held at a time; who comes first is served first.

    Attributes:
        limit: bytes that all bodies together may hold.
        patience: seconds to wait for a turn.
    """

    def __init__(self, limit: int, *, patience: float = 5.0) -> None:
        self._limit = limit
        self._patience = patience
        self._held = 0
        self._queue: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def turn(self, size: int) -> AsyncIterator[None]:
        """Hold `size` bytes. Raises `Unavailable` (`overloaded`) when there was no turn in time."""
        size = min(size, self._limit)
        await self._enter(size)
        try:
            yield
        finally:
            self._leave(size)

    async def _enter(self, size: int) -> None:
        if not self._queue and self._held + size <= self._limit:
            self._held += size
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (size, turn)
        self._queue.append(entry)
        try:
            async with asyncio.timeout(self._patience):
                await asyncio.shield(turn)
        except BaseException as error:
            self._give_up(entry)
            if isinstance(error, TimeoutError):
                raise Unavailable(BUSY, retry_after=self._patience) from None
            raise

    def _give_up(self, entry: tuple[int, asyncio.Future[None]]) -> None:
        """Leave the queue, or hand back a turn that came at the same moment."""
        size, turn = entry
        if turn.done():
            self._leave(size)
        else:
            self._queue.remove(entry)
            turn.cancel()
            self._call()

    def _leave(self, size: int) -> None:
        self._held -= size
        self._call()

    def _call(self) -> None:
        while self._queue and self._held + self._queue[0][0] <= self._limit:
            size, turn = self._queue.popleft()
            self._held += size
            turn.set_result(None)
