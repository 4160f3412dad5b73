"""Keeping something alive for ever: build it, wait until it is gone, wait a little, build it again."""

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from certpipe.core.clock import Clock
from certpipe.core.retry import Backoff

T = TypeVar("T")

RPC_SECONDS = 10.0
"""How long one question to the broker may take."""

_CLOSE_SECONDS = 5.0
_LEAST_DELAY = 0.2
_LONG_LIFE = 15.0
_BACKOFF = Backoff(first=0.4, factor=2.0, most=5.0, attempts=sys.maxsize, jitter=1.0)


async def keep(
    live: Callable[[], Coroutine[Any, Any, None]],
    *,
    clock: Clock,
    ended: asyncio.Event,
    report: Callable[[Exception], None],
) -> None:
    """Call `live` until `ended` is set. It returns or raises when what it built is gone.

    Between two calls 0.2 to 5 seconds pass, by full jitter, longer and longer while lives are short.
    """
    tries = 0
    while not ended.is_set():
        born = clock.now()
        try:
            await apart(live())
        except Exception as error:  # noqa: BLE001 - whatever it was, the next life begins
            if not ended.is_set():
                report(error)
        lived = (clock.now() - born).total_seconds()
        tries = 1 if lived > _LONG_LIFE else tries + 1
        await clock.wait(_BACKOFF.delay(tries, at_least=_LEAST_DELAY) or _LEAST_DELAY, until=ended)


async def apart(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` in a task of its own.

    aiormq cancels whoever waits on a channel that dies. Here that becomes a `ConnectionResetError`, so that it is never
    taken for a cancellation of ours.
    """
    task = asyncio.create_task(work)
    try:
        await asyncio.wait({task})
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait({task})
        raise
    if task.cancelled():
        raise ConnectionResetError("the channel was closed")
    return task.result()


async def first(*events: asyncio.Event) -> None:
    """Wait until one of the events is set."""
    waiting = {asyncio.ensure_future(event.wait()) for event in events}
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()


async def part(goodbye: Coroutine[Any, Any, Any]) -> None:
    """Take leave of a channel or a connection, which may be dead already: five seconds, and no complaint."""
    with suppress(Exception):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await apart(goodbye)
