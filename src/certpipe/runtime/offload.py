"""CPU-bound work off the event loop, in threads, without paying for a thread switch per upload."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

Out = TypeVar("Out")
CHUNK = 8


class Offload(Generic[Out]):
    """Runs what was asked for in one turn of the loop in chunks, each chunk in one thread.

    The work releases the interpreter's lock for most of its time (PBKDF2, signatures), so a few threads scale.
    """

    def __init__(self, *, threads: int = 2) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="prove")
        self._waiting: list[tuple[Callable[[], Out], asyncio.Future[Out]]] = []

    async def __call__(self, work: Callable[[], Out]) -> Out:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Out] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._start, loop)
        self._waiting.append((work, done))
        return await done

    def close(self) -> None:
        """Let running work end; take none after."""
        self._pool.shutdown(wait=False)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting, self._waiting = self._waiting, []
        for i in range(0, len(waiting), CHUNK):
            self._pool.submit(self._run_chunk, loop, waiting[i : i + CHUNK])

    @staticmethod
    def _run_chunk(
        loop: asyncio.AbstractEventLoop, chunk: list[tuple[Callable[[], Out], "asyncio.Future[Out]"]]
    ) -> None:
        results: list[tuple[asyncio.Future[Out], Out | BaseException, bool]] = []
        for work, done in chunk:
            try:
                results.append((done, work(), True))
            except BaseException as error:  # noqa: BLE001 - it is raised again where the work was asked for
                results.append((done, error, False))
        loop.call_soon_threadsafe(_resolve, results)


def _resolve(results: "list[tuple[asyncio.Future[Out], Out | BaseException, bool]]") -> None:
    for done, result, fine in results:
        if done.done():
            continue
        if fine:
            done.set_result(result)  # type: ignore[arg-type] # `fine` says which of the two it is
        else:
            done.set_exception(result)  # type: ignore[arg-type] # likewise
