"""Hints: throttled when sent, heard on one connection, heard again after that was lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from certpipe.core.clock import SystemClock
from certpipe.core.ports.webhooks import EndpointChange
from certpipe.store.hinting import Hinter
from certpipe.store.hints import StoreHints
from schemas.messages import UploadRef
from schemas.webhooks import DisabledBecause
from tests.integration.storehouse import Storehouse, parked, postponed, storehouse
from tests.integration.toldhouse import NOW, Toldhouse, failing

LISTENING = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query ILIKE 'LISTEN%'"


class Ear:
    """Counts hints, and lets a test wait for the next one."""

    def __init__(self) -> None:
        self.count = 0
        self._heard = asyncio.Event()

    def __call__(self) -> None:
        self.count += 1
        self._heard.set()

    async def next(self) -> None:
        async with asyncio.timeout(60):
            await self._heard.wait()
        self._heard.clear()


@asynccontextmanager
async def _listening(house: Storehouse) -> AsyncIterator[Ear]:
    ear, stopping = Ear(), asyncio.Event()
    task = asyncio.create_task(StoreHints(house.url, SystemClock()).listen(ear, stopping))
    await ear.next()  # the one of the connection itself
    try:
        yield ear
    finally:
        stopping.set()
        async with asyncio.timeout(60):
            await task


async def test_a_step_a_retry_and_an_end_are_each_heard(database_url: str) -> None:
    async with storehouse(database_url) as house, _listening(house) as ear:
        (ref,) = await house.accepted()
        await house.validate.settle([postponed(ref)])
        await ear.next()
        (moved,) = await house.validate.settle([house.proved(UploadRef(id=ref.id, epoch=1))])
        await ear.next()
        await house.encrypt.settle([parked(moved)])
        await ear.next()


async def test_a_settle_that_changed_nothing_is_not_hinted(database_url: str) -> None:
    async with storehouse(database_url) as house, _listening(house) as ear:
        (ref,) = await house.accepted()
        await house.validate.settle([parked(UploadRef(id=ref.id, epoch=9))])
        house.hinter.hint()
        await ear.next()
        assert ear.count == 2


class HeldClock(SystemClock):
    """Waits until the test lets it go on."""

    def __init__(self) -> None:
        self.asked: asyncio.Queue[float] = asyncio.Queue()
        self.released = asyncio.Event()

    async def wait(self, seconds: float, *, until: asyncio.Event | None = None) -> bool:
        self.asked.put_nowait(seconds)
        await self.released.wait()
        return until is not None


async def test_a_storm_of_hints_is_one_at_once_and_one_after_a_pause(database_url: str) -> None:
    async with storehouse(database_url) as house, _listening(house) as ear:
        clock = HeldClock()
        hinter = Hinter(house.database, clock)
        hinter.hint()
        await ear.next()
        async with asyncio.timeout(60):
            assert await clock.asked.get() == 0.005
        for _ in range(500):
            hinter.hint()
        assert ear.count == 2
        clock.released.set()
        await ear.next()
        await hinter.close()
        assert ear.count == 3


class StandingClock(SystemClock):
    """Shows always the same time, and notes how long it was to wait."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self.at = super().now()

    def now(self) -> datetime:
        return self.at

    async def wait(self, seconds: float, *, until: asyncio.Event | None = None) -> bool:
        self.pauses.append(seconds)
        return until is not None


async def test_a_few_hints_come_fast_and_a_lasting_storm_gets_twenty_a_second(database_url: str) -> None:
    async with storehouse(database_url) as house:
        clock = StandingClock()
        hinter = Hinter(house.database, clock)

        async def storm(hints: int) -> list[float]:
            clock.pauses.clear()
            for _ in range(hints):
                hinter.hint()
                await hinter.close()
            return list(clock.pauses)

        assert await storm(10) == [0.005] * 7 + [0.05] * 3
        clock.at += timedelta(seconds=0.1)
        assert await storm(3) == [0.005, 0.05, 0.05]
        clock.at -= timedelta(hours=1)
        assert await storm(1) == [0.05]
        clock.at += timedelta(hours=1)
        assert await storm(8) == [0.005] * 7 + [0.05]


async def test_a_listener_that_lost_its_connection_comes_back_and_looks_at_once(database_url: str) -> None:
    async with storehouse(database_url) as house, _listening(house) as ear:
        (row,) = await house.database.fetch(LISTENING)
        await house.database.fetch("SELECT pg_terminate_backend($1)", row["pid"])
        await ear.next()
        house.hinter.hint()
        await ear.next()
        assert ear.count >= 3


async def test_hinting_never_raises_when_the_database_is_gone(database_url: str) -> None:
    async with storehouse(database_url) as house:
        await house.database.close()
        house.hinter.hint()
        await house.hinter.close()


async def test_listening_stops_while_the_database_is_away(database_url: str) -> None:
    stopping = asyncio.Event()
    nowhere = database_url.replace("certpipe_test_", "certpipe_missing_")
    task = asyncio.create_task(StoreHints(nowhere, SystemClock()).listen(Ear(), stopping))
    await SystemClock().wait(0.3)
    assert not task.done()
    stopping.set()
    async with asyncio.timeout(60):
        await task


async def test_whatever_is_to_be_told_or_sent_is_heard(database_url: str) -> None:
    async with storehouse(database_url) as house, _listening(house) as ear:
        telling = Toldhouse(house)
        endpoint = await telling.endpoint()
        await telling.events(1)
        await telling.placed()
        await ear.next()
        await telling.endpoints.ping(endpoint, now=NOW)
        await ear.next()
        await telling.endpoints.replay(endpoint, 1, now=NOW)
        await ear.next()
        await telling.endpoints.replay_failed(endpoint, after=0, limit=1, now=NOW)
        await ear.next()
        await telling.endpoints.replay_range(endpoint, since=NOW, until=NOW, after=0, limit=1, now=NOW)
        await ear.next()
        await telling.deliveries.settle((), [failing(endpoint, disable=DisabledBecause.GONE)], now=NOW)
        await ear.next()
        await telling.endpoints.change(endpoint, EndpointChange(enabled=True), now=NOW)
        await ear.next()
