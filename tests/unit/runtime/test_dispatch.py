import asyncio
from collections.abc import Sequence

import pytest

from certpipe.runtime.dispatch import CoalescingDispatcher
from schemas.messages import StageMessage, UploadRef
from schemas.status import Stage
from tests.unit.runtime.fakes import Publisher, ref


class Noted:
    def __init__(self) -> None:
        self.refs: list[UploadRef] = []

    async def dispatched(self, refs: Sequence[UploadRef]) -> None:
        self.refs += refs


class Running:
    def __init__(self, publisher: Publisher) -> None:
        self.publisher, self.backlog, self.stopping = publisher, Noted(), asyncio.Event()
        self.dispatcher = CoalescingDispatcher(publisher=publisher, backlog=self.backlog, exchange="work")  # type: ignore[arg-type] # only `dispatched` is used
        self.task = asyncio.ensure_future(self.dispatcher.run(self.stopping))

    async def stop(self) -> None:
        self.stopping.set()
        await self.task


@pytest.fixture
def publisher() -> Publisher:
    return Publisher()


async def test_one_upload_goes_out_at_once_and_is_noted(publisher: Publisher) -> None:
    running, one = Running(publisher), ref()
    await running.dispatcher.dispatch(Stage.VALIDATE, [one])
    assert publisher.refs() == running.backlog.refs == [one]
    assert (publisher.published[0].exchange, publisher.published[0].routing_key) == ("work", "validate")
    await running.stop()


async def test_what_comes_during_a_round_goes_out_together_in_messages_of_at_most_64(publisher: Publisher) -> None:
    publisher.gate = asyncio.Event()
    running = Running(publisher)
    first = running.dispatcher.dispatch(Stage.VALIDATE, [ref()])
    await asyncio.wait([first], timeout=0)
    rest = [running.dispatcher.dispatch(Stage.VALIDATE, [ref()]) for _ in range(100)]
    publisher.gate.set()
    await asyncio.gather(first, *rest)
    sizes = [len(StageMessage.model_validate_json(m.body).uploads) for m in publisher.published]
    assert sizes in ([1, 64, 36], [64, 37])
    await running.stop()


async def test_a_broker_that_is_away_raises_nothing_and_notes_nothing(publisher: Publisher) -> None:
    publisher.ready = False
    running = Running(publisher)
    await running.dispatcher.dispatch(Stage.FORWARD, [ref()])
    assert running.backlog.refs == []
    publisher.ready = True
    await running.dispatcher.dispatch(Stage.FORWARD, [ref()])
    assert len(running.backlog.refs) == 1
    await running.stop()


async def test_stopping_publishes_what_waits_first(publisher: Publisher) -> None:
    running = Running(publisher)
    waiting = running.dispatcher.dispatch(Stage.ENCRYPT, [ref()])
    await running.stop()
    assert waiting.done()
    assert len(publisher.published) == 1


async def test_a_defect_in_publishing_leaves_the_round_to_the_sweeper_and_stops_nobody(publisher: Publisher) -> None:
    running, later = Running(publisher), ref()
    publisher.defect = ValueError("a defect")
    await running.dispatcher.dispatch(Stage.PERSIST, [ref()])
    assert running.backlog.refs == []
    publisher.defect = None
    await running.dispatcher.dispatch(Stage.PERSIST, [later])
    assert running.backlog.refs == [later]
    await running.stop()
