import asyncio

from certpipe.core.clock import SystemClock


async def test_waiting_ends_early_when_the_event_is_set() -> None:
    event = asyncio.Event()
    event.set()
    assert await SystemClock().wait(60, until=event)


async def test_waiting_ends_with_the_time() -> None:
    assert not await SystemClock().wait(0.001)


def test_now_is_aware() -> None:
    assert SystemClock().now().tzinfo is not None
