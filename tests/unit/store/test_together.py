"""What comes while a batch is being done goes into the next one."""

import asyncio
from collections.abc import Sequence

import pytest

from certpipe.store.together import Together


class Worker:
    """Doubles numbers, refuses odd ones; does a batch only when the test lets it."""

    def __init__(self) -> None:
        self.batches: list[Sequence[int]] = []
        self.free = asyncio.Event()

    async def __call__(self, items: Sequence[int]) -> Sequence[int | Exception]:
        self.batches.append(items)
        await self.free.wait()
        return [ValueError(item) if item % 2 else 2 * item for item in items]


async def test_the_first_goes_at_once_and_the_others_go_together() -> None:
    worker = Worker()
    together = Together(worker, most=3, at_once=1)
    calls = [asyncio.create_task(together(item)) for item in range(0, 12, 2)]
    worker.free.set()
    assert await asyncio.gather(*calls) == [0, 4, 8, 12, 16, 20]
    assert [item for batch in worker.batches for item in batch] == [0, 2, 4, 6, 8, 10]
    assert max(map(len, worker.batches)) == 3


async def test_each_caller_gets_its_own_error() -> None:
    worker = Worker()
    worker.free.set()
    together = Together(worker, most=10, at_once=2)
    even, odd = await asyncio.gather(together(2), together(3), return_exceptions=True)
    assert even == 4
    assert isinstance(odd, ValueError)


async def test_an_error_of_the_whole_batch_reaches_every_caller_and_the_next_batch_is_done() -> None:
    broken = True

    async def work(items: Sequence[int]) -> Sequence[int | Exception]:
        if broken:
            raise OSError("away")
        return list(items)

    together = Together(work, most=10, at_once=1)
    results = await asyncio.gather(together(1), together(2), return_exceptions=True)
    assert [type(result) for result in results] == [OSError, OSError]
    broken = False
    assert await together(3) == 3


async def test_a_caller_that_gives_up_does_not_disturb_the_others() -> None:
    worker = Worker()
    together = Together(worker, most=10, at_once=1)
    staying, leaving = asyncio.create_task(together(2)), asyncio.create_task(together(4))
    while not worker.batches:
        await asyncio.wait([staying], timeout=0.01)
    leaving.cancel()
    worker.free.set()
    assert await staying == 4
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await together(6) == 12
