"""RabbitMQ goes away and comes back, in every way that it has; nobody restarts anything."""

import asyncio
import json
from collections.abc import AsyncIterator

import aio_pika
import pytest
from aio_pika.abc import HeadersType
from aiormq.channel import Channel

from certpipe.broker import topology
from certpipe.broker.amqp import AmqpBroker
from certpipe.broker.connection import connect
from certpipe.broker.declare import apply
from certpipe.broker.lane import Lane
from certpipe.core.clock import SystemClock
from certpipe.core.errors import Unavailable
from certpipe.core.ids import uuid7
from certpipe.core.ports.broker import Delivery, Inbox, Message, Settlement
from certpipe.core.ports.directory import Producer
from certpipe.development.rabbitmq import PrivateRabbit
from certpipe.ingress.amqp import PREFETCH, ProducersDoor
from schemas.status import Stage
from tests.unit.ingress.scene import Scene

QUEUE = topology.queue_of(Stage.VALIDATE)
PATIENCE = 90.0
CLOCK = SystemClock()


@pytest.fixture
async def broker(private_rabbit: PrivateRabbit) -> AsyncIterator[AmqpBroker]:
    await apply(private_rabbit.url)
    broker = AmqpBroker(private_rabbit.url, role="recovery", clock=CLOCK, grace=0.1, silence=0.5)
    assert await broker.wait_ready(PATIENCE)
    yield broker
    await broker.close()


async def publish(broker: AmqpBroker, body: str) -> None:
    """Publish as the sweeper does: again, until it is confirmed."""
    async with asyncio.timeout(PATIENCE):
        while True:
            await broker.wait_ready(PATIENCE)
            try:
                await broker.publisher.publish([Message(topology.WORK, Stage.VALIDATE, body.encode())])
            except Unavailable:
                await CLOCK.wait(0.05)
            else:
                return


async def receive(inbox: Inbox, body: str) -> int:
    """Acknowledge everything until `body` comes; answers with its count."""
    async with asyncio.timeout(PATIENCE):
        while True:
            got = await inbox.receive(1)
            assert got
            await inbox.settle(got, Settlement.ACK)
            if got[0].body == body.encode():
                return got[0].count


async def flood(broker: AmqpBroker) -> None:
    """Publish, into a queue that no test reads, until it fails."""
    while True:
        await broker.publisher.publish([Message(topology.WORK, Stage.FORWARD, b"{}")] * 50)


def sealed(scene: Scene) -> bytes:
    """A producer's message."""
    box = {"format": "jwe", "kid": "intake-1", "ciphertext": "a..b.c.d"}
    ids = {"upload_id": str(uuid7()), "party_id": str(scene.party)}
    return json.dumps({"version": 1, **ids, "kind": "csd", "sealed": box}).encode()


def consumer_of(lane: Lane) -> str:
    """The tag of its one consumer."""
    assert isinstance(lane.channel, Channel)
    (consumer,) = lane.channel.consumers
    return consumer


def lane_of(delivery: Delivery) -> Lane:
    """The channel that delivered it, which only the adapter knows."""
    assert isinstance(delivery.token, tuple)
    lane = delivery.token[0]
    assert isinstance(lane, Lane)
    return lane


async def away(broker: AmqpBroker) -> None:
    async with asyncio.timeout(PATIENCE):
        while broker.publisher.ready:
            await CLOCK.wait(0.01)


async def test_producers_messages_that_wait_wait_on_when_their_connection_is_closed(
    broker: AmqpBroker, private_rabbit: PrivateRabbit, caplog: pytest.LogCaptureFixture
) -> None:
    scene, stopping = Scene(), asyncio.Event()
    scene.directory.producers["certpipe"] = Producer("certpipe", scene.organization, may_send_clear=False)
    scene.store.waiting_of[scene.organization] = scene.organization_limit
    inbox = broker.inbox(topology.UPLOADS_QUEUE, prefetch=PREFETCH)
    door = ProducersDoor(inbox, broker.publisher, scene.service, scene.directory, topology.DEAD, CLOCK)
    running = asyncio.create_task(door.run(stopping))
    async with asyncio.timeout(PATIENCE):
        async with await connect(private_rabbit.url, name="producer") as connection:
            exchange = await (await connection.channel()).get_exchange(topology.UPLOADS, ensure=False)
            for _ in range(200):
                await exchange.publish(aio_pika.Message(sealed(scene), user_id="certpipe"), topology.UPLOADS_KEY)
        for times in (0, 1):
            while sum(each.count == times for own in door.aside.oldest(200) for each in own) < 200:
                await CLOCK.wait(0.01)
            if times == 0:
                await private_rabbit.ctl("close_all_connections", "by the test")
        scene.store.waiting_of.clear()
        while len(scene.store.rows) < 200:
            await CLOCK.wait(0.01)
        stopping.set()
        await running
    assert "refused" not in caplog.text


@pytest.mark.slow
async def test_consumer_and_publisher_outlive_a_restart(broker: AmqpBroker, private_rabbit: PrivateRabbit) -> None:
    inbox = broker.inbox(QUEUE, prefetch=10)
    await publish(broker, "before")
    await receive(inbox, "before")
    await private_rabbit.stop()
    await private_rabbit.start()
    await publish(broker, "after")
    await receive(inbox, "after")


@pytest.mark.slow
async def test_what_was_confirmed_outlives_a_kill_and_what_was_held_comes_again(
    broker: AmqpBroker, private_rabbit: PrivateRabbit
) -> None:
    inbox = broker.inbox(QUEUE, prefetch=1)
    await publish(broker, "held")
    async with asyncio.timeout(PATIENCE):
        held = await inbox.receive(1)
    await publish(broker, "kept")
    private_rabbit.kill()
    await away(broker)
    await inbox.settle(held, Settlement.ACK)
    await private_rabbit.start()
    counts: dict[bytes, int] = {}
    async with asyncio.timeout(PATIENCE):
        while not {b"held", b"kept"} <= counts.keys():  # in which order they come is nobody's promise
            (got,) = await inbox.receive(1)
            await inbox.settle([got], Settlement.ACK)
            counts[got.body] = got.count
    assert counts[b"held"] >= 1


async def test_publishing_while_it_is_stopped_is_unavailable_at_once(
    broker: AmqpBroker, private_rabbit: PrivateRabbit
) -> None:
    private_rabbit.kill()
    await away(broker)
    async with asyncio.timeout(10):
        with pytest.raises(Unavailable):
            await broker.publisher.publish([Message(topology.WORK, Stage.VALIDATE, b"never")])
    assert not broker.publisher.ready
    assert not await broker.wait_ready(0.01)


async def test_a_kill_in_the_middle_of_publishing_is_unavailable_and_not_a_cancellation(
    broker: AmqpBroker, private_rabbit: PrivateRabbit
) -> None:
    flooding = asyncio.create_task(flood(broker))
    await CLOCK.wait(0.2)
    private_rabbit.kill()
    async with asyncio.timeout(PATIENCE):
        with pytest.raises(Unavailable):
            await flooding


async def test_connections_that_the_operator_closes_come_back_under_their_names(
    broker: AmqpBroker, private_rabbit: PrivateRabbit
) -> None:
    inbox = broker.inbox(QUEUE, prefetch=10)
    await publish(broker, "before")
    await receive(inbox, "before")
    await private_rabbit.ctl("close_all_connections", "by the test")
    await publish(broker, "after")
    await receive(inbox, "after")
    connections = await private_rabbit.ctl("list_connections", "client_properties")
    assert "certpipe.recovery.publish" in connections
    assert "certpipe.recovery.consume" in connections


async def test_a_consumer_that_rabbitmq_forgot_is_found_out_and_replaced(
    broker: AmqpBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """Its channel stays open and healthy; nothing but the silence shows that it consumes no more."""
    inbox = broker.inbox(QUEUE, prefetch=10)
    await publish(broker, "before")
    async with asyncio.timeout(PATIENCE):
        (held,) = await inbox.receive(1)
    await inbox.settle([held], Settlement.ACK)
    lane = lane_of(held)
    await lane.channel.basic_cancel(consumer_of(lane))
    await publish(broker, "after")
    await receive(inbox, "after")
    assert any("was dead" in line for line in caplog.messages)


async def test_a_channel_that_dies_takes_only_its_own_consumer_along(broker: AmqpBroker) -> None:
    """A second acknowledgement of one tag closes a channel; another consumer of the same connection does not notice."""
    hurt, spared = broker.inbox(QUEUE, prefetch=1), broker.inbox(topology.queue_of(Stage.ENCRYPT), prefetch=1)
    await publish(broker, "one")
    await broker.publisher.publish([Message(topology.WORK, Stage.ENCRYPT, b"other")])
    async with asyncio.timeout(PATIENCE):
        (held,) = await hurt.receive(1)
        untouched = await spared.receive(1)
    lane = lane_of(held)
    await lane.channel.basic_ack(999)
    assert await receive(hurt, "one") == 1
    assert len(untouched) == 1
    assert not lane_of(untouched[0]).gone.is_set()
    await spared.settle(untouched, Settlement.ACK)


@pytest.mark.slow
async def test_a_broker_that_is_down_at_the_start_is_waited_for(private_rabbit: PrivateRabbit) -> None:
    await apply(private_rabbit.url)
    private_rabbit.kill()
    broker = AmqpBroker(private_rabbit.url, role="early", clock=CLOCK, grace=0.1)
    try:
        inbox = broker.inbox(QUEUE, prefetch=10)
        assert not await broker.wait_ready(0.5)
        await private_rabbit.start()
        await publish(broker, "at last")
        await receive(inbox, "at last")
    finally:
        await broker.close()


async def test_closing_while_it_is_down_takes_no_longer_than_it_must(private_rabbit: PrivateRabbit) -> None:
    private_rabbit.kill()
    broker = AmqpBroker(private_rabbit.url, role="early", clock=CLOCK)
    inbox = broker.inbox(QUEUE, prefetch=10)
    async with asyncio.timeout(10):
        await broker.close()
        assert not await inbox.receive(1)


async def test_a_settlement_whose_caller_is_cancelled_happens_once(broker: AmqpBroker) -> None:
    inbox = broker.inbox(QUEUE, prefetch=100)
    await publish(broker, "cut")
    async with asyncio.timeout(PATIENCE):
        got = await inbox.receive(1)
    settling = asyncio.create_task(inbox.settle(got, Settlement.ACK))
    asyncio.get_running_loop().call_soon(settling.cancel)
    with pytest.raises(asyncio.CancelledError):
        await settling
    await inbox.settle(got, Settlement.ACK)
    await publish(broker, "next")
    assert await receive(inbox, "next") == 0


async def test_what_a_foreign_producer_says_about_its_message_arrives(
    broker: AmqpBroker, private_rabbit: PrivateRabbit
) -> None:
    inbox = broker.inbox(topology.UPLOADS_QUEUE, prefetch=1)
    connection = await connect(private_rabbit.url, name="producer")
    async with connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(topology.UPLOADS, ensure=False)
        hostile: HeadersType = {"x-delivery-count": "many", "x-acquired-count": -7}
        foreign = aio_pika.Message(b"{}", reply_to="here", correlation_id="42", user_id="certpipe", headers=hostile)
        await exchange.publish(foreign, topology.UPLOADS_KEY)
        async with asyncio.timeout(PATIENCE):
            (got,) = await inbox.receive(1)
    assert (got.reply_to, got.correlation_id, got.user_id, got.count) == ("here", "42", "certpipe", 0)
    await inbox.settle([got], Settlement.ACK)


@pytest.mark.slow
async def test_a_memory_alarm_stops_publishers_only_and_all_flows_once_it_is_over(
    private_rabbit: PrivateRabbit,
) -> None:
    await apply(private_rabbit.url)
    broker = AmqpBroker(private_rabbit.url, role="alarm", clock=CLOCK, patience=2.0, grace=0.1)
    try:
        inbox = broker.inbox(QUEUE, prefetch=1)
        await publish(broker, "first")
        await publish(broker, "second")
        await private_rabbit.ctl("set_vm_memory_high_watermark", "absolute", "1")
        try:
            async with asyncio.timeout(PATIENCE):
                with pytest.raises(Unavailable):
                    await flood(broker)
            await receive(inbox, "first")
            await receive(inbox, "second")
        finally:
            await private_rabbit.ctl("set_vm_memory_high_watermark", "absolute", "1GiB")
        await publish(broker, "third")
        await receive(inbox, "third")
    finally:
        await broker.close()
