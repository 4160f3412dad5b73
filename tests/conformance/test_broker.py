"""What every broker does. Each test is run against every adapter."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import pytest

from certpipe.broker import topology
from certpipe.broker.amqp import AmqpBroker
from certpipe.broker.connection import connect
from certpipe.broker.declare import apply
from certpipe.broker.inprocess import InProcessBroker
from certpipe.core.clock import SystemClock
from certpipe.core.errors import Unavailable
from certpipe.core.ports.broker import Broker, Death, Delivery, Inbox, Message, Settlement
from schemas.status import Stage

VALIDATE = topology.queue_of(Stage.VALIDATE)
PATIENCE = 30.0


class Harness(Protocol):
    """A broker whose queues are empty, and how to open more of it."""

    async def open(self) -> Broker: ...

    async def declare(self, queue: str) -> None: ...


class InProcessHarness:
    """One object is both the broker and its queues, so every client is the same one."""

    def __init__(self) -> None:
        self._broker = InProcessBroker()

    async def open(self) -> Broker:
        return self._broker

    async def declare(self, queue: str) -> None:
        self._broker.declare(queue)

    async def close(self) -> None:
        await self._broker.close()


class AmqpHarness:
    """Each client is a broker object of its own, at the same RabbitMQ."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opened: list[AmqpBroker] = []

    async def open(self) -> Broker:
        broker = AmqpBroker(self._url, role="conformance", clock=SystemClock(), grace=0.1)
        self._opened.append(broker)
        assert await broker.wait_ready(PATIENCE)
        return broker

    async def declare(self, queue: str) -> None:
        connection = await connect(self._url, name="conformance.declare")
        try:
            channel = await connection.channel()
            await channel.declare_queue(queue, durable=True)
        finally:
            await connection.close()

    async def close(self) -> None:
        for broker in self._opened:
            await broker.close()


@pytest.fixture(params=["in-process", "amqp"])
async def harness(request: pytest.FixtureRequest) -> AsyncIterator[Harness]:
    made: InProcessHarness | AmqpHarness
    if request.param == "amqp":
        url = request.getfixturevalue("amqp_url")
        await apply(url)
        made = AmqpHarness(url)
    else:
        made = InProcessHarness()
    yield made
    await made.close()


@pytest.fixture
async def broker(harness: Harness) -> Broker:
    return await harness.open()


def work(*bodies: str) -> list[Message]:
    return [Message(topology.WORK, Stage.VALIDATE, body.encode()) for body in bodies]


def numbers(count: int) -> list[str]:
    return [f"{number:03}" for number in range(count)]


def texts(deliveries: Sequence[Delivery]) -> list[str]:
    return [delivery.body.decode() for delivery in deliveries]


async def receive(inbox: Inbox, count: int) -> list[Delivery]:
    """Exactly `count` deliveries."""
    got: list[Delivery] = []
    async with asyncio.timeout(PATIENCE):
        while len(got) < count:
            more = await inbox.receive(count - len(got))
            assert more, "the inbox ended too early"
            got += more
    return got


async def drain(inbox: Inbox, until: str) -> list[str]:
    """Acknowledge everything up to and including the message `until`; what came, in order."""
    seen: list[str] = []
    while until not in seen:
        got = await receive(inbox, 1)
        await inbox.settle(got, Settlement.ACK)
        seen += texts(got)
    return seen


async def test_what_is_published_is_received_in_order_and_gone_once_acknowledged(broker: Broker) -> None:
    await broker.publisher.publish(work("a"))
    await broker.publisher.publish(work("b"))
    inbox = broker.inbox(VALIDATE, prefetch=10)
    got = await receive(inbox, 2)
    assert texts(got) == ["a", "b"]
    assert [delivery.count for delivery in got] == [0, 0]
    await inbox.settle(got, Settlement.ACK)
    await inbox.stop()

    await broker.publisher.publish(work("c"))
    assert await drain(broker.inbox(VALIDATE, prefetch=10), until="c") == ["c"]


async def test_a_consumer_that_waits_gets_what_is_published_later(broker: Broker) -> None:
    inbox = broker.inbox(VALIDATE, prefetch=10)
    waiting = asyncio.create_task(receive(inbox, 1))
    await broker.publisher.publish(work("late"))
    assert texts(await waiting) == ["late"]


async def test_receiving_takes_no_more_than_the_limit(broker: Broker) -> None:
    await broker.publisher.publish(work(*numbers(20)))
    inbox = broker.inbox(VALIDATE, prefetch=20)
    async with asyncio.timeout(PATIENCE):
        assert len(await inbox.receive(3)) <= 3


async def test_a_receive_that_is_cancelled_loses_nothing(broker: Broker) -> None:
    inbox = broker.inbox(VALIDATE, prefetch=10)
    waiting = asyncio.create_task(inbox.receive(10))
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await broker.publisher.publish(work("kept"))
    assert texts(await receive(inbox, 1)) == ["kept"]


async def test_five_hundred_messages_published_at_once_all_arrive_once(broker: Broker) -> None:
    sent = numbers(500)
    inbox = broker.inbox(VALIDATE, prefetch=100)
    await broker.publisher.publish(work(*sent))
    seen: list[str] = []
    while len(seen) < 500:
        got = await receive(inbox, 1)
        got += await inbox.receive(64) if len(seen) + 1 < 500 else []
        await inbox.settle(got, Settlement.ACK)
        seen += texts(got)
    assert sorted(seen) == sent


async def test_publishing_nothing_is_no_trouble(broker: Broker) -> None:
    await broker.publisher.publish([])


async def test_each_stage_has_its_own_queue(broker: Broker) -> None:
    await broker.publisher.publish([Message(topology.WORK, stage, stage.encode()) for stage in Stage])
    for stage in Stage:
        inbox = broker.inbox(topology.queue_of(stage), prefetch=1)
        assert texts(await receive(inbox, 1)) == [stage.value]


async def test_the_producers_door_leads_to_the_uploads_queue(broker: Broker) -> None:
    await broker.publisher.publish([Message(topology.UPLOADS, topology.UPLOADS_KEY, b"{}")])
    assert texts(await receive(broker.inbox(topology.UPLOADS_QUEUE, prefetch=1), 1)) == ["{}"]


async def test_a_message_that_no_queue_takes_is_unavailable_and_its_neighbours_still_arrive(broker: Broker) -> None:
    lost = Message(topology.WORK, "no-such-stage", b"lost")
    with pytest.raises(Unavailable) as caught:
        await broker.publisher.publish([*work("a"), lost, *work("b")])
    assert [problem.code for problem in caught.value.problems] == ["broker_unavailable"]
    assert sorted(texts(await receive(broker.inbox(VALIDATE, prefetch=10), 2))) == ["a", "b"]
    assert broker.publisher.ready


async def test_events_that_nobody_asked_for_are_no_failure_and_may_come_again_under_their_own_id(
    broker: Broker,
) -> None:
    key = "0197c000-0000-7000-8000-000000000001.certificate.forwarded"
    event = Message(topology.EVENTS, key, b"{}", mandatory=False, message_id="evt_1_1")
    reply = Message("", "gone", b"{}", mandatory=False, message_id="evt_1_1")
    await broker.publisher.publish([event, reply, event, *work("a")])
    assert texts(await receive(broker.inbox(VALIDATE, prefetch=10), 1)) == ["a"]
    assert broker.publisher.ready


async def test_the_nameless_exchange_leads_to_a_queue_by_its_name(harness: Harness, broker: Broker) -> None:
    await harness.declare("replies")
    await broker.publisher.publish([Message("", "replies", b"yes", correlation_id="42", content_type="text/plain")])
    (got,) = await receive(broker.inbox("replies", prefetch=1), 1)
    assert (got.body, got.correlation_id, got.content_type) == (b"yes", "42", "text/plain")


async def test_a_reply_to_nobody_is_unavailable(broker: Broker) -> None:
    with pytest.raises(Unavailable):
        await broker.publisher.publish([Message("", "gone", b"yes")])


async def test_a_requeued_message_comes_again_with_a_higher_count(broker: Broker) -> None:
    await broker.publisher.publish(work("again"))
    inbox = broker.inbox(VALIDATE, prefetch=1)
    for count in (0, 1, 2):
        (got,) = await receive(inbox, 1)
        assert (got.body, got.count) == (b"again", count)
        await inbox.settle([got], Settlement.REQUEUE)


async def test_a_dead_letter_ends_in_the_dead_queue(broker: Broker) -> None:
    await broker.publisher.publish(work("poison", "good"))
    inbox = broker.inbox(VALIDATE, prefetch=10)
    got = sorted(await receive(inbox, 2), key=lambda delivery: delivery.body)
    await inbox.settle(got[:1], Settlement.ACK)
    await inbox.settle(got[1:], Settlement.DEAD_LETTER)
    dead = broker.inbox(topology.DEAD_QUEUE, prefetch=10)
    (letter,) = await receive(dead, 1)
    assert (letter.body, letter.death) == (b"poison", Death(VALIDATE, "rejected"))
    assert got[0].death is None


async def test_no_more_than_the_prefetch_is_out_at_a_time(broker: Broker) -> None:
    await broker.publisher.publish(work(*numbers(5)))
    first, second = broker.inbox(VALIDATE, prefetch=2), broker.inbox(VALIDATE, prefetch=3)
    held = await receive(first, 2)
    others = await receive(second, 3)
    assert sorted(texts([*held, *others])) == numbers(5)

    await broker.publisher.publish(work("more"))
    await second.stop()
    waiting = asyncio.create_task(receive(first, 1))
    await first.settle(held[:1], Settlement.ACK)
    assert texts(await waiting) == ["more"]


async def test_settling_twice_does_no_harm(broker: Broker) -> None:
    await broker.publisher.publish(work("a"))
    inbox = broker.inbox(VALIDATE, prefetch=10)
    got = await receive(inbox, 1)
    await inbox.settle([*got, *got], Settlement.ACK)
    await inbox.settle(got, Settlement.ACK)
    await inbox.settle(got, Settlement.REQUEUE)
    await broker.publisher.publish(work("b"))
    assert await drain(inbox, until="b") == ["b"]


async def test_what_is_received_is_held_until_it_is_settled_or_the_broker_has_it_back(broker: Broker) -> None:
    await broker.publisher.publish(work("a", "b"))
    inbox = broker.inbox(VALIDATE, prefetch=10)
    ended, left = await receive(inbox, 2)
    assert inbox.holds(ended)
    await inbox.settle([ended], Settlement.ACK)
    assert not inbox.holds(ended)
    await inbox.stop()
    assert inbox.holds(left)
    await broker.close()
    assert not inbox.holds(left)


@pytest.mark.parametrize(
    "chosen",
    [
        pytest.param(slice(0, 10), id="all"),
        pytest.param(slice(0, 4), id="the-first-four"),
        pytest.param(slice(4, 8), id="a-range-in-the-middle"),
        pytest.param(slice(1, 10, 2), id="every-other"),
    ],
)
async def test_acknowledging_some_acknowledges_exactly_those(harness: Harness, chosen: slice) -> None:
    broker = await harness.open()
    await broker.publisher.publish(work(*numbers(10)))
    inbox = broker.inbox(VALIDATE, prefetch=10)
    got = await receive(inbox, 10)
    await inbox.settle(got[chosen], Settlement.ACK)
    rest = [delivery for delivery in got if delivery not in got[chosen]]
    await inbox.settle(rest, Settlement.REQUEUE)
    back = await receive(inbox, len(rest))
    assert sorted(texts(back)) == sorted(texts(rest))
    await inbox.settle(back, Settlement.ACK)
    await broker.publisher.publish(work("end"))
    assert await drain(inbox, until="end") == ["end"]


async def test_acknowledging_out_of_order_leaves_nothing_behind(broker: Broker) -> None:
    await broker.publisher.publish(work(*numbers(9)))
    inbox = broker.inbox(VALIDATE, prefetch=9)
    got = await receive(inbox, 9)
    for some in (got[6:], got[:3], got[3:6]):
        await inbox.settle(some, Settlement.ACK)
    await broker.publisher.publish(work("end"))
    assert await drain(inbox, until="end") == ["end"]


async def test_a_stopped_inbox_answers_with_nothing_at_once(broker: Broker) -> None:
    inbox = broker.inbox(VALIDATE, prefetch=10)
    waiting = asyncio.create_task(inbox.receive(1))
    await inbox.stop()
    async with asyncio.timeout(PATIENCE):
        assert not await waiting
        assert not await inbox.receive(1)
    await inbox.stop()


async def test_a_stopped_inbox_lets_go_of_what_nobody_received(broker: Broker) -> None:
    await broker.publisher.publish(work(*numbers(10)))
    stopped = broker.inbox(VALIDATE, prefetch=10)
    held = await receive(stopped, 1)
    await stopped.stop()
    rest = await receive(broker.inbox(VALIDATE, prefetch=10), 9)
    assert sorted(texts([*held, *rest])) == numbers(10)


async def test_what_was_received_before_the_stop_can_still_be_settled(broker: Broker) -> None:
    await broker.publisher.publish(work("a", "b"))
    stopped = broker.inbox(VALIDATE, prefetch=2)
    got = await receive(stopped, 2)
    await stopped.stop()
    await stopped.settle(got[:1], Settlement.ACK)
    await stopped.settle(got[1:], Settlement.REQUEUE)
    other = broker.inbox(VALIDATE, prefetch=2)
    (back,) = await receive(other, 1)
    assert (back.body, back.count) == (got[1].body, 1)


async def test_closing_returns_what_was_never_settled(harness: Harness, broker: Broker) -> None:
    await broker.publisher.publish(work(*numbers(4)))
    inbox = broker.inbox(VALIDATE, prefetch=4)
    got = await receive(inbox, 3)
    await inbox.settle(got[:1], Settlement.ACK)
    await broker.close()
    await broker.close()
    assert not await inbox.receive(1)
    await inbox.settle(got, Settlement.ACK)

    again = await harness.open()
    back = await receive(again.inbox(VALIDATE, prefetch=10), 3)
    assert sorted(texts(back)) == sorted(set(numbers(4)) - set(texts(got[:1])))


async def test_a_closed_broker_publishes_nothing_and_says_so(broker: Broker) -> None:
    assert broker.publisher.ready
    await broker.close()
    assert not broker.publisher.ready
    with pytest.raises(Unavailable):
        await broker.publisher.publish(work("a"))
