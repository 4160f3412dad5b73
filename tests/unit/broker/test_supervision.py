"""How something is kept alive."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from certpipe.broker.supervision import apart, first, keep, part


class Clock:
    """Time that passes when somebody waits, at once; `ended` after so many waits."""

    def __init__(self, ended: asyncio.Event, waits: int) -> None:
        self._now = datetime(2026, 1, 1, tzinfo=UTC)
        self._ended = ended
        self._waits = waits
        self.waited: list[float] = []

    def now(self) -> datetime:
        return self._now

    async def wait(self, seconds: float, *, until: asyncio.Event | None = None) -> bool:
        self.waited.append(seconds)
        self.pass_by(seconds)
        if len(self.waited) == self._waits:
            self._ended.set()
        return until is not None and until.is_set()

    def pass_by(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)


async def test_short_lives_wait_longer_and_longer_within_the_bounds() -> None:
    ended = asyncio.Event()
    clock = Clock(ended, 200)
    faults: list[Exception] = []

    async def live() -> None:
        raise OSError("down")

    await keep(live, clock=clock, ended=ended, report=faults.append)
    assert len(faults) == 200
    assert all(0.2 <= seconds <= 5 for seconds in clock.waited)
    assert clock.waited[0] <= 0.4
    assert max(clock.waited) > 3
    assert len({round(seconds, 3) for seconds in clock.waited[10:]}) > 50, "jitter"


async def test_a_long_life_forgets_the_trouble_before_it() -> None:
    ended = asyncio.Event()
    clock = Clock(ended, 50)

    async def live() -> None:
        clock.pass_by(60)

    await keep(live, clock=clock, ended=ended, report=lambda _: None)
    assert max(clock.waited) <= 0.4


async def test_nothing_is_reported_about_an_end_that_was_asked_for() -> None:
    ended = asyncio.Event()
    faults: list[Exception] = []

    async def live() -> None:
        ended.set()
        raise OSError("closed")

    await keep(live, clock=Clock(ended, 1), ended=ended, report=faults.append)
    assert faults == []


async def test_a_cancellation_by_the_library_is_an_error_and_not_ours() -> None:
    async def cancelled() -> None:
        raise asyncio.CancelledError

    with pytest.raises(ConnectionResetError):
        await apart(cancelled())


async def test_a_cancellation_of_ours_reaches_the_work_and_comes_back() -> None:
    began, stopped = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    task = asyncio.create_task(apart(work()))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stopped.is_set()


async def test_the_first_of_several_events_is_enough() -> None:
    never, now = asyncio.Event(), asyncio.Event()
    now.set()
    await first(never, now)


async def test_a_goodbye_that_fails_is_no_failure() -> None:
    async def fails() -> None:
        raise OSError("gone")

    await part(fails())
