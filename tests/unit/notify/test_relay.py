import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from certpipe.core.clock import SystemClock
from certpipe.notify.hearing import Hearing
from certpipe.notify.relay import BATCH, RelayService
from tests.fakes import Bell, HandClock
from tests.unit.notify.queue import MemoryFeed, ticking

ENDPOINT = UUID(int=5)


class Woken:
    def __init__(self) -> None:
        self.endpoints: list[Collection[UUID]] = []

    def __call__(self, endpoints: Collection[UUID]) -> None:
        self.endpoints.append(endpoints)


@asynccontextmanager
async def relaying(feed: MemoryFeed, woken: Woken, clock: HandClock, bell: Bell) -> AsyncIterator[None]:
    stopping, heard = asyncio.Event(), asyncio.Event()
    service = RelayService(relay=feed, heard=heard, wake=woken, clock=clock)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(Hearing(bell, heard).run(stopping))
        tasks.create_task(service.run(stopping))
        yield
        stopping.set()


async def test_all_is_placed_until_nothing_is_left_and_the_deliverer_is_woken() -> None:
    feed, woken = MemoryFeed(), Woken()
    feed.unplaced, feed.endpoints = 2 * BATCH + 1, frozenset({ENDPOINT})
    async with relaying(feed, woken, HandClock(), Bell()):
        await feed.until(lambda: feed.unplaced == 0)
    assert woken.endpoints == [{ENDPOINT}] * 3


async def test_a_hint_makes_it_look_at_once() -> None:
    feed, woken, clock, bell = MemoryFeed(), Woken(), HandClock(), Bell()
    async with relaying(feed, woken, clock, bell):
        await ticking(clock, lambda: feed.asked >= 1)
        feed.unplaced = 1
        bell.ring()
        await feed.until(lambda: feed.unplaced == 0)
        asked = feed.asked
        for _ in range(20):
            await SystemClock().wait(0)
        assert feed.asked <= asked + 1
    assert len(woken.endpoints) == 1


async def test_without_a_hint_it_looks_every_second() -> None:
    feed, woken, clock = MemoryFeed(), Woken(), HandClock()
    async with relaying(feed, woken, clock, Bell()):
        await ticking(clock, lambda: feed.asked >= 3)
    assert set(clock.waits) == {1.0}
    assert not woken.endpoints


async def test_a_database_that_is_away_is_tried_again_and_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    feed, woken, clock = MemoryFeed(), Woken(), HandClock()
    feed.away, feed.unplaced = True, 1
    async with relaying(feed, woken, clock, Bell()):
        await ticking(clock, lambda: feed.asked >= 4)
        feed.away = False
        await ticking(clock, lambda: feed.unplaced == 0)
    assert [record.levelname for record in caplog.records if "place" in record.message].count("WARNING") == 1


class BrokenHints:
    async def listen(self, heard: object, stopping: asyncio.Event) -> None:
        raise ZeroDivisionError(heard, stopping)


async def test_without_an_ear_who_waits_still_ends_when_it_is_time() -> None:
    stopping, heard = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(Hearing(BrokenHints(), heard).run(stopping))
    stopping.set()
    await running
    assert heard.is_set()
