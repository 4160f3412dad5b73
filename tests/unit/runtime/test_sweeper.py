import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import pytest

from certpipe.core.errors import Unavailable
from certpipe.runtime.sweeper import BATCH, Sweeper
from schemas.messages import UploadRef
from schemas.status import Stage
from tests.unit.runtime.fakes import AWAY, Clock, Publisher, ref
from tests.unit.runtime.test_worker import Dispatcher


class Backlog:
    def __init__(self, *rounds: Mapping[Stage, Sequence[UploadRef]] | Exception) -> None:
        self.rounds, self.asked, self.drained = list(rounds), 0, asyncio.Event()
        self.released, self.swept = 0, 0
        self.stuck = False

    async def release(self) -> None:
        self.released += 1
        if self.stuck:
            raise Unavailable(AWAY)

    async def sweep(self) -> None:
        self.swept += 1

    async def due(self, _limit: int) -> Mapping[Stage, Sequence[UploadRef]]:
        self.asked += 1
        if not self.rounds:
            self.drained.set()
            return {}
        now = self.rounds.pop(0)
        if isinstance(now, Exception):
            raise now
        return now


class Passing(Clock):
    """Two seconds for each that was waited."""

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=2 * sum(self.waited))


async def sweep(backlog: Backlog, publisher: Publisher, clock: Clock) -> Dispatcher:
    dispatcher, stopping = Dispatcher(), asyncio.Event()
    sweeper = Sweeper(backlog=backlog, dispatcher=dispatcher, publisher=publisher, clock=clock)  # type: ignore[arg-type] # fakes of what it uses
    task = asyncio.ensure_future(sweeper.run(stopping))
    async with asyncio.timeout(20):
        while not backlog.drained.is_set() and len(clock.waited) < 50:
            await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=0)
        stopping.set()
        await task
    return dispatcher


async def test_what_is_due_is_dispatched_to_its_stage() -> None:
    one, two = ref(), ref(3)
    dispatcher = await sweep(Backlog({Stage.VALIDATE: [one], Stage.FORWARD: [two]}), Publisher(), Clock())
    assert dispatcher.refs == [(Stage.VALIDATE, one), (Stage.FORWARD, two)]


async def test_what_waits_for_a_service_is_let_go_before_what_is_due_is_looked_for() -> None:
    backlog = Backlog({}, {})
    await sweep(backlog, Publisher(), Clock())
    assert backlog.released == backlog.asked > 0


async def test_what_is_due_goes_on_though_nothing_can_be_let_go_and_that_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "certpipe.runtime.sweeper")
    one, two = ref(), ref(3)
    backlog, clock = Backlog({Stage.VALIDATE: [one]}, {Stage.FORWARD: [two]}), Clock()
    backlog.stuck = True
    dispatcher = await sweep(backlog, Publisher(), clock)
    assert dispatcher.refs == [(Stage.VALIDATE, one), (Stage.FORWARD, two)]
    assert caplog.messages == ["cannot sweep now"]


async def test_what_has_had_its_time_goes_though_nothing_can_be_published(caplog: pytest.LogCaptureFixture) -> None:
    backlog = Backlog(*[Unavailable(AWAY)] * 70)
    backlog.stuck = True
    await sweep(backlog, Publisher(), Passing())
    assert backlog.swept == 1
    assert caplog.messages == ["cannot sweep now"]


async def test_a_full_batch_is_followed_by_the_next_without_waiting() -> None:
    clock = Clock()
    full = {Stage.VALIDATE: [ref() for _ in range(BATCH)]}
    dispatcher = await sweep(Backlog(full, full, {Stage.VALIDATE: [ref()]}), Publisher(), clock)
    assert len(dispatcher.refs) == 2 * BATCH + 1
    assert len(clock.waited) <= 2


async def test_nothing_is_leased_while_the_broker_is_away() -> None:
    backlog, publisher = Backlog({Stage.VALIDATE: [ref()]}), Publisher(ready=False)
    await sweep(backlog, publisher, Clock())
    assert backlog.asked == 0


async def test_a_database_that_is_away_is_asked_again_at_the_next_tick() -> None:
    one = ref()
    dispatcher = await sweep(Backlog(Unavailable(AWAY), {Stage.ENCRYPT: [one]}), Publisher(), Clock())
    assert dispatcher.refs == [(Stage.ENCRYPT, one)]


async def test_a_database_that_stays_away_is_told_once_and_that_it_is_back_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "certpipe.runtime.sweeper")
    away = [Unavailable(AWAY)] * 3
    await sweep(Backlog(*away, {}, Unavailable(AWAY)), Publisher(), Clock())
    assert caplog.messages == ["cannot sweep now", "sweeping again", "cannot sweep now", "sweeping again"]
