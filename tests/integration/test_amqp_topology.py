"""Bringing the topology to a real RabbitMQ, and refusing to run on another one."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aio_pika
import pytest
from yarl import URL

from certpipe.broker import topology
from certpipe.broker.amqp import AmqpBroker
from certpipe.broker.connection import connect
from certpipe.broker.declare import apply, verify
from certpipe.broker.problems import TopologyError
from certpipe.core.clock import SystemClock
from certpipe.core.errors import Unavailable
from certpipe.core.ports.broker import Message, Settlement
from certpipe.development.ports import free_ports
from certpipe.development.rabbitmq import PrivateRabbit
from schemas.status import Stage

QUEUE = topology.queue_of(Stage.FORWARD)
PATIENCE = 60.0


@asynccontextmanager
async def channel_of(url: str) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
    connection = await connect(url, name="topology.test")
    async with connection:
        yield await connection.channel()


async def names_its_trouble(url: str, caplog: pytest.LogCaptureFixture, told: Callable[[str], bool]) -> bool:
    """Whether a broker and a consumer at `url` say so in the log, and go on trying."""
    broker = AmqpBroker(url, role="troubled", clock=SystemClock(), grace=0.1)
    try:
        broker.inbox(QUEUE, prefetch=1)
        async with asyncio.timeout(PATIENCE):
            while not any(told(line) for line in caplog.messages):
                await SystemClock().wait(0.02)
    finally:
        await broker.close()
    return True


async def test_applying_twice_is_once_and_passes_the_check(amqp_url: str) -> None:
    await apply(amqp_url)
    await apply(amqp_url)
    await verify(amqp_url)


async def test_the_check_names_what_is_missing_and_creates_nothing(amqp_url: str) -> None:
    for _ in range(2):
        with pytest.raises(TopologyError) as caught:
            await verify(amqp_url)
        for name in (topology.WORK, topology.DEAD, topology.DEAD_QUEUE, topology.UPLOADS_QUEUE, QUEUE):
            assert f"{name}: " in str(caught.value)
        assert "certpipe topology apply" in str(caught.value)


@pytest.mark.parametrize("bring", [apply, verify])
async def test_other_arguments_are_refused_with_queue_expectation_and_remedy(
    amqp_url: str, bring: Callable[[str], object]
) -> None:
    await apply(amqp_url)
    async with channel_of(amqp_url) as channel:
        await channel.queue_delete(QUEUE)
        await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum", "x-delivery-limit": 7})
    with pytest.raises(TopologyError) as caught:
        await (apply if bring is apply else verify)(amqp_url)
    told = str(caught.value)
    assert told.startswith(f"Queue {QUEUE} is not as it must be")
    assert "x-delivery-limit=50" in told
    assert f"rabbitmqctl delete_queue {QUEUE}" in told
    assert "\n" not in told


async def test_an_exchange_of_another_kind_is_refused(amqp_url: str) -> None:
    async with channel_of(amqp_url) as channel:
        await channel.declare_exchange(topology.WORK, "fanout", durable=True)
    with pytest.raises(TopologyError, match=r"Exchange certpipe\.work is not as it must be"):
        await apply(amqp_url)


async def test_nobody_listening_is_unavailable_and_says_where_to_look() -> None:
    (port,) = free_ports(1)
    with pytest.raises(Unavailable) as caught:
        await apply(f"amqp://nobody:nothing@127.0.0.1:{port}/")
    assert "cannot be reached" in (caught.value.problems[0].hint or "")


async def test_a_user_who_may_not_configure_can_still_check_and_work(private_rabbit: PrivateRabbit) -> None:
    await apply(private_rabbit.url)
    await private_rabbit.add_user("worker", "secret-word", permissions=("^$", ".*", ".*"))
    await verify(private_rabbit.url_for("/", user="worker", password="secret-word"))
    with pytest.raises(TopologyError, match="set_permissions"):
        await apply(private_rabbit.url_for("/", user="worker", password="secret-word"))


async def test_a_wrong_password_is_told_and_never_shown(amqp_url: str, caplog: pytest.LogCaptureFixture) -> None:
    wrong = str(URL(amqp_url).with_password("wrong-secret"))
    caplog.set_level("DEBUG")
    assert await names_its_trouble(wrong, caplog, lambda line: "refuses this user" in line)
    assert "wrong-secret" not in caplog.text
    with pytest.raises(Unavailable) as caught:
        await verify(wrong)
    assert "refuses this user" in (caught.value.problems[0].hint or "")


async def test_an_unknown_virtual_host_is_told(amqp_url: str, caplog: pytest.LogCaptureFixture) -> None:
    unknown = str(URL(amqp_url).with_path("/no-such-host"))
    assert await names_its_trouble(unknown, caplog, lambda line: "add_vhost" in line)


async def test_a_consumer_without_its_queue_says_what_to_run(amqp_url: str, caplog: pytest.LogCaptureFixture) -> None:
    assert await names_its_trouble(amqp_url, caplog, lambda line: QUEUE in line and "topology apply" in line)


async def test_a_user_who_may_not_read_is_told(private_rabbit: PrivateRabbit, caplog: pytest.LogCaptureFixture) -> None:
    await apply(private_rabbit.url)
    await private_rabbit.add_user("blind", "secret-word", permissions=("^$", ".*", "^$"))
    url = private_rabbit.url_for("/", user="blind", password="secret-word")
    assert await names_its_trouble(url, caplog, lambda line: QUEUE in line and "set_permissions" in line)


async def test_a_deleted_queue_is_reported_with_the_remedy_and_consumed_again_once_declared(
    amqp_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await apply(amqp_url)
    broker = AmqpBroker(amqp_url, role="deleted", clock=SystemClock(), grace=0.1)
    message = Message(topology.WORK, Stage.FORWARD, b"{}")
    try:
        inbox = broker.inbox(QUEUE, prefetch=1)
        assert await broker.wait_ready(PATIENCE)
        async with asyncio.timeout(PATIENCE):
            await broker.publisher.publish([message])
            await inbox.settle(await inbox.receive(1), Settlement.ACK)
            async with channel_of(amqp_url) as channel:
                await channel.queue_delete(QUEUE)
            while not any(QUEUE in line and "topology apply" in line for line in caplog.messages):
                await SystemClock().wait(0.02)
            with pytest.raises(Unavailable):
                await broker.publisher.publish([message])
            await apply(amqp_url)
            await broker.publisher.publish([message])
            assert len(await inbox.receive(1)) == 1
    finally:
        await broker.close()
