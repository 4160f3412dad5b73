"""Work that is cheaper together: what comes while some is being done is done next, in one go."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")


class Together(Generic[In, Out]):
    """Gathers concurrent calls into batches. It waits for nothing: an idle system does batches of one, at once.

    Attributes:
        work: does a batch, and returns for each item, in order, its result or the exception that its caller gets.
        most: items per batch.
        at_once: batches at the same time.
    """

    def __init__(
        self, work: Callable[[Sequence[In]], Awaitable[Sequence[Out | Exception]]], *, most: int, at_once: int
    ) -> None:
        self._work = work
        self._most = most
        self._at_once = at_once
        self._waiting: deque[tuple[In, asyncio.Future[Out]]] = deque()
        self._running: set[asyncio.Task[None]] = set()

    async def __call__(self, item: In) -> Out:
        """Done with others or alone. A caller that gives up while its batch is being done does not stop it."""
        future: asyncio.Future[Out] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if len(self._running) < self._at_once:
            task = asyncio.create_task(self._run())
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return await future

    async def _run(self) -> None:
        while batch := self._take():
            try:
                results: Sequence[Out | Exception] = await self._work([item for item, _ in batch])
            except Exception as error:  # noqa: BLE001 - it is the callers' to handle, every one's
                results = [error] * len(batch)
            for (_, future), result in zip(batch, results, strict=True):
                if future.done():
                    continue
                if isinstance(result, Exception):
                    future.set_exception(result)
                else:
                    future.set_result(result)

    def _take(self) -> list[tuple[In, asyncio.Future[Out]]]:
        batch: list[tuple[In, asyncio.Future[Out]]] = []
        while self._waiting and len(batch) < self._most:
            item, future = self._waiting.popleft()
            if not future.done():
                batch.append((item, future))
        return batch
