"""A stage's work on a batch of which some take long."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from certpipe.core.errors import Barred, Unavailable
from certpipe.core.ports.runtime import Advanced, Held, Outcome
from certpipe.runtime.work import Work
from schemas.messages import UploadRef
from schemas.status import Stage
from tests.unit.runtime.fakes import AWAY, Clock, Ledger, ref
from tests.unit.runtime.test_worker import Dispatcher


@dataclass
class Told(Ledger):
    """Says when something was settled."""

    settled: asyncio.Event = field(default_factory=asyncio.Event)

    async def settle(self, outcomes: Sequence[Outcome[str]], /) -> Sequence[UploadRef]:
        following = await super().settle(outcomes)
        self.settled.set()
        return following


def working(ledger: Ledger, slow: Mapping[UploadRef, asyncio.Event]) -> Work[UploadRef, str]:
    async def step(upload: UploadRef) -> str:
        if upload in slow:
            await slow[upload].wait()
        return "done"

    return Work(
        stage=Stage.FORWARD,
        step=step,
        ledger=ledger,
        dispatcher=Dispatcher(),  # type: ignore[arg-type] # takes any sequence
        following=None,
        clock=Clock(),
        linger=0.01,
    )


async def test_those_that_are_done_do_not_wait_for_those_that_take_long() -> None:
    ledger = Told()
    quick, slow, slower = ref(), ref(), ref()
    gates = {slow: asyncio.Event(), slower: asyncio.Event()}
    doing = asyncio.create_task(working(ledger, gates).do([slow, quick, slower], asyncio.Event()))
    for each, gate in ((quick, gates[slow]), (slow, gates[slower])):
        async with asyncio.timeout(20):
            await ledger.settled.wait()
        assert each in ledger.written
        assert slower not in ledger.written
        assert not doing.done()
        ledger.settled.clear()
        gate.set()
    await doing
    assert ledger.written == {each: Advanced(each, "done") for each in (quick, slow, slower)}


async def test_a_later_part_of_the_batch_does_not_wait_either() -> None:
    ledger, slow = Told(), ref()
    refs = [slow, *(ref() for _ in range(200))]
    gate = asyncio.Event()
    doing = asyncio.create_task(working(ledger, {slow: gate}).do(refs, asyncio.Event()))
    async with asyncio.timeout(20):
        while len(ledger.written) < 200:
            await ledger.settled.wait()
            ledger.settled.clear()
    assert not doing.done()
    gate.set()
    await doing


async def test_a_database_that_is_away_for_those_that_took_long_is_told() -> None:
    ledger, slow, gate, stopping = Told(), ref(), asyncio.Event(), asyncio.Event()
    doing = asyncio.create_task(working(ledger, {slow: gate}).do([ref(), slow], stopping))
    async with asyncio.timeout(20):
        await ledger.settled.wait()
    ledger.fails = [Unavailable(AWAY)] * 5
    stopping.set()
    gate.set()
    with pytest.raises(Unavailable):
        await doing


async def test_who_is_barred_is_held_and_burns_no_attempt() -> None:
    ledger, one = Ledger(), ref()

    async def step(_upload: UploadRef) -> str:
        raise Barred(AWAY, delay=7.0)

    work = working(ledger, {})
    work._step = step
    await work.do([one], asyncio.Event())
    assert ledger.written == {one: Held(one, 7.0)}
