import asyncio
import threading

import pytest

from certpipe.runtime.offload import Offload


async def test_results_come_back_to_whoever_asked() -> None:
    run: Offload[int] = Offload()
    results = await asyncio.gather(*(run(lambda n=n: n * n) for n in range(100)))  # type: ignore[misc] # a default binds the loop variable
    assert results == [n * n for n in range(100)]
    run.close()


async def test_work_leaves_the_event_loop() -> None:
    run: Offload[int] = Offload()
    assert await run(threading.get_ident) != threading.get_ident()
    run.close()


async def test_an_exception_is_raised_where_the_work_was_asked_for_and_nowhere_else() -> None:
    run: Offload[int] = Offload()
    bad, good = run(lambda: 1 // 0), run(lambda: 7)
    results = await asyncio.gather(bad, good, return_exceptions=True)
    assert isinstance(results[0], ZeroDivisionError)
    assert results[1] == 7
    run.close()


async def test_a_waiter_that_is_gone_disturbs_nobody() -> None:
    run: Offload[int] = Offload(threads=1)
    gate = threading.Event()

    def wait() -> int:
        gate.wait(10)
        return 1

    gone = asyncio.ensure_future(run(wait))
    stays = asyncio.ensure_future(run(lambda: 2))
    await asyncio.wait([gone], timeout=0.01)
    gone.cancel()
    gate.set()
    assert await stays == 2
    with pytest.raises(asyncio.CancelledError):
        await gone
    run.close()
