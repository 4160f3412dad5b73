"""One hub for all who wait."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

from certpipe.core.ids import uuid7
from certpipe.ingress.waiting import WaitingRoom
from schemas.status import State
from tests.fakes import Bell, HandClock, MemoryStore


class Room:
    """A running room over a store with two uploads, under a clock that stands."""

    def __init__(self) -> None:
        self.store, self.clock, self.bell = MemoryStore(), HandClock(), Bell()
        self.room = WaitingRoom(self.store, self.clock, self.bell)
        self.one, self.two = uuid7(), uuid7()
        self.store.states = {self.one: (State.RECEIVED, 0), self.two: (State.RECEIVED, 0)}

    def waiter(self, upload_id: UUID, after: int | None = None, *, gone: bool = False) -> asyncio.Task[None]:
        return asyncio.create_task(self.room.wait(upload_id, after=after, seconds=30, gone=lambda: gone))

    async def pass_time(self) -> None:
        """Let tasks run, then every pause of the room (but no client's patience) run out."""
        await settle()
        self.bell.ring()
        self.clock.tick_shorter_than(2)
        await settle()


async def settle() -> None:
    """Let every task run as far as it can."""
    for _ in range(30):
        await asyncio.wait([asyncio.get_running_loop().create_task(_nothing())])


async def _nothing() -> None:
    return


@asynccontextmanager
async def running() -> AsyncIterator[Room]:
    room = Room()
    task = asyncio.create_task(room.room.run())
    yield room
    room.room.close()
    await task


async def test_all_who_wait_are_looked_after_in_one_query() -> None:
    async with running() as room:
        waiters = [room.waiter(upload_id) for upload_id in (room.one, room.two, room.one)]
        await room.pass_time()
        assert room.store.looks[-1] == {room.one, room.two}
        assert len(room.room) == 3
        room.room.close()
        await asyncio.gather(*waiters)


async def test_nobody_waits_nothing_is_asked() -> None:
    async with running() as room:
        await room.pass_time()
        await room.pass_time()
        assert room.store.looks == []


async def test_the_end_wakes_who_waits_for_it_and_no_other_step_does() -> None:
    async with running() as room:
        waiter = room.waiter(room.one)
        room.store.move(room.one, State.VALIDATED)
        await room.pass_time()
        await room.pass_time()
        assert not waiter.done()
        room.store.move(room.one, State.FORWARDED)
        await room.pass_time()
        await room.pass_time()
        assert waiter.done()
        assert len(room.room) == 0


async def test_a_step_past_the_sequence_wakes_who_waits_for_it() -> None:
    async with running() as room:
        waiter, other = room.waiter(room.one, after=0), room.waiter(room.one, after=1)
        await room.pass_time()
        assert not waiter.done()
        room.store.move(room.one, State.VALIDATED)
        await room.pass_time()
        await room.pass_time()
        assert waiter.done()
        assert not other.done()
        other.cancel()
        await asyncio.wait([other])


async def test_who_comes_after_the_end_is_let_go_at_once() -> None:
    async with running() as room:
        room.store.move(room.one, State.REJECTED)
        waiter = room.waiter(room.one)
        await room.pass_time()
        assert waiter.done()


async def test_a_database_that_is_away_wakes_nobody_and_is_asked_again() -> None:
    async with running() as room:
        room.store.away = True
        waiter = room.waiter(room.one)
        await room.pass_time()
        await room.pass_time()
        assert not waiter.done()
        room.store.away = False
        room.store.move(room.one, State.FORWARDED)
        await room.pass_time()
        await room.pass_time()
        assert waiter.done()


async def test_a_client_that_is_gone_is_let_go_and_not_asked_for() -> None:
    async with running() as room:
        waiter = room.waiter(room.one, gone=True)
        await room.pass_time()
        assert waiter.done()
        assert room.store.looks == []


async def test_closing_lets_everybody_go_and_takes_nobody_in() -> None:
    async with running() as room:
        waiter = room.waiter(room.one)
        await settle()
        room.room.close()
        await waiter
        await room.waiter(room.one)


async def test_between_two_looks_there_is_a_pause_however_many_hints_come() -> None:
    async with running() as room:
        waiter = room.waiter(room.one)
        await settle()
        looks = len(room.store.looks)
        for _ in range(20):
            room.bell.ring()
            await settle()
        assert len(room.store.looks) == looks
        waiter.cancel()
        await asyncio.wait([waiter])


class Broken:
    """Hints that end by a defect."""

    async def listen(self, _heard: Callable[[], None], _stopping: asyncio.Event) -> None:
        raise ValueError("a defect")


async def test_hints_that_break_leave_the_regular_looks() -> None:
    room = Room()
    room.room = WaitingRoom(room.store, room.clock, Broken())
    task = asyncio.create_task(room.room.run())
    await settle()
    waiter = room.waiter(room.one)
    room.store.states[room.one] = (State.FORWARDED, 4)
    await room.pass_time()
    await room.pass_time()
    assert waiter.done()
    room.room.close()
    await task


async def test_who_waits_for_a_state_is_woken_by_it_and_by_no_other() -> None:
    async with running() as room:
        stored = asyncio.create_task(
            room.room.wait(room.one, after=None, until=frozenset({State.STORED, State.FORWARDED}), seconds=30)
        )
        room.store.states[room.one] = (State.VALIDATED, 1)
        await room.pass_time()
        assert not stored.done()
        room.store.states[room.one] = (State.STORED, 3)
        await room.pass_time()
        assert stored.done()


async def test_who_waits_for_a_state_is_woken_by_the_end_too() -> None:
    async with running() as room:
        forwarded = asyncio.create_task(
            room.room.wait(room.one, after=None, until=frozenset({State.FORWARDED}), seconds=30)
        )
        room.store.states[room.one] = (State.REJECTED, 1)
        await room.pass_time()
        assert forwarded.done()
