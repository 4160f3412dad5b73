"""What a subscriber may do on a real RabbitMQ, made as docs/operations.md says: its own organization, and no more."""

import re
import shlex
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel, AbstractQueue
from aiormq.exceptions import ChannelAccessRefused, ChannelInvalidStateError

from certpipe.broker import topology
from certpipe.broker.declare import apply
from certpipe.development.rabbitmq import PrivateRabbit
from schemas.events import EventType

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
VHOST, PREFIX, USER = "certpipe", "sub.erp", "sub-erp"
ORGANIZATION = UUID("0198f4a2-0000-7000-8000-000000000001")
OTHER = UUID("0198f4a2-0000-7000-8000-0000000000ff")
WORD = "a-word"
QUORUM = {"x-queue-type": "quorum"}


def commands() -> list[list[str]]:
    """Those of the page, without the program's name: user, permissions, topic permissions, policy."""
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("rabbitmqctl")]
    found = [shlex.split(line)[1:] for line in lines if USER in line or "'^sub" in line]
    assert [each[0] for each in found] == ["add_user", "set_permissions", "set_topic_permissions", "set_policy"]
    return found


@pytest.fixture(scope="module")
def prepared() -> list[PrivateRabbit]:
    """The nodes that have all of it already."""
    return []


@pytest.fixture
async def node(private_rabbit: PrivateRabbit, prepared: list[PrivateRabbit]) -> PrivateRabbit:
    """With the topology, and a subscriber as the page makes it."""
    if private_rabbit not in prepared:
        await private_rabbit.add_vhosts(VHOST)
        await apply(private_rabbit.url_for(VHOST))
        for each in commands():
            await private_rabbit.ctl(*each, standard_input=f"{WORD}\n" if each[0] == "add_user" else "")
        prepared.append(private_rabbit)
    return private_rabbit


@asynccontextmanager
async def channel(node: PrivateRabbit, **user: str) -> AsyncIterator[AbstractChannel]:
    async with await aio_pika.connect(node.url_for(VHOST, **user)) as connection:
        yield await connection.channel()


def subscriber(node: PrivateRabbit) -> AbstractAsyncContextManager[AbstractChannel]:
    return channel(node, user=USER, password=WORD)


async def own_queue(channel: AbstractChannel) -> AbstractQueue:
    return await channel.declare_queue(f"{PREFIX}.{uuid4()}", durable=True, arguments=dict(QUORUM))


async def publish(node: PrivateRabbit, *keys: str) -> None:
    async with channel(node) as operator:
        exchange = await operator.get_exchange(topology.EVENTS)
        for key in keys:
            await exchange.publish(aio_pika.Message(key.encode()), routing_key=key, mandatory=False)


async def test_a_subscriber_is_told_of_its_organization_alone(node: PrivateRabbit) -> None:
    mine = [f"{ORGANIZATION}.{event}" for event in EventType]
    async with subscriber(node) as ours:
        queue = await own_queue(ours)
        await queue.bind(topology.EVENTS, f"{ORGANIZATION}.#")
        await publish(node, f"{OTHER}.upload.received", *mine)
        heard = [(await queue.get(timeout=30)) for _ in mine]
        assert [each.body.decode() for each in heard if each is not None] == mine
        assert await queue.get(fail=False) is None


async def test_a_subscriber_may_bind_narrower_keys(node: PrivateRabbit) -> None:
    async with subscriber(node) as ours:
        queue = await own_queue(ours)
        for key in ("upload.failed", "upload.*", "certificate.#", "*.*"):
            await queue.bind(topology.EVENTS, f"{ORGANIZATION}.{key}")


FOREIGN = [
    "#",
    "*.*.*",
    "*.upload.failed",
    "#.upload.failed",
    f"#.{ORGANIZATION}.#",
    f"{ORGANIZATION}",
    f"{str(ORGANIZATION)[:-1]}*.upload.failed",
    f"{OTHER}.#",
    f"{OTHER}.upload.failed",
    "",
]


@pytest.mark.parametrize("key", FOREIGN)
async def test_a_subscriber_is_refused_a_key_of_others(node: PrivateRabbit, key: str) -> None:
    async with subscriber(node) as ours:
        queue = await own_queue(ours)
        with pytest.raises(ChannelAccessRefused):
            await queue.bind(topology.EVENTS, key)


@pytest.mark.parametrize("key", FOREIGN)
async def test_a_subscriber_is_refused_them_by_an_exchange_of_its_own_too(node: PrivateRabbit, key: str) -> None:
    async with subscriber(node) as ours:
        exchange = await ours.declare_exchange(f"{PREFIX}.{uuid4()}", aio_pika.ExchangeType.TOPIC)
        with pytest.raises(ChannelAccessRefused):
            await exchange.bind(topology.EVENTS, key)


async def test_a_subscriber_publishes_no_events(node: PrivateRabbit) -> None:
    async with subscriber(node) as ours:
        exchange = await ours.get_exchange(topology.EVENTS, ensure=False)
        with pytest.raises((ChannelAccessRefused, ChannelInvalidStateError)):
            await exchange.publish(aio_pika.Message(b"{}"), routing_key=f"{ORGANIZATION}.upload.failed")


@pytest.mark.parametrize("name", [queue.name for queue in topology.QUEUES])
async def test_a_subscriber_reads_no_queue_of_the_pipeline(node: PrivateRabbit, name: str) -> None:
    async with subscriber(node) as ours:
        queue = await ours.get_queue(name, ensure=False)
        with pytest.raises(ChannelAccessRefused):
            await queue.get(fail=False)


@pytest.mark.parametrize("name", [exchange.name for exchange in topology.EXCHANGES])
async def test_a_subscriber_gets_nothing_into_the_pipeline_by_dead_letters(node: PrivateRabbit, name: str) -> None:
    async with subscriber(node) as ours:
        with pytest.raises(ChannelAccessRefused):
            await ours.declare_queue(
                f"{PREFIX}.{uuid4()}", durable=True, arguments={**QUORUM, "x-dead-letter-exchange": name}
            )


async def test_a_subscriber_reads_no_queue_of_another(node: PrivateRabbit) -> None:
    async with channel(node) as operator:
        await operator.declare_queue("sub.erpx", durable=True)
    async with subscriber(node) as ours:
        queue = await ours.get_queue("sub.erpx", ensure=False)
        with pytest.raises(ChannelAccessRefused):
            await queue.get(fail=False)


async def test_without_topic_permissions_a_user_may_bind_every_key(node: PrivateRabbit) -> None:
    """Why the page says that the third line is what keeps organizations apart."""
    _, permissions, *_ = commands()
    await node.ctl("add_user", "careless", standard_input=f"{WORD}\n")
    await node.ctl(*(word if word != USER else "careless" for word in permissions))
    async with channel(node, user="careless", password=WORD) as careless:
        await (await own_queue(careless)).bind(topology.EVENTS, "#")


async def test_what_is_bound_stays_bound_when_permissions_change(node: PrivateRabbit) -> None:
    await node.ctl("add_user", "moved", standard_input=f"{WORD}\n")
    _, permissions, topics, _ = ([word if word != USER else "moved" for word in each] for each in commands())
    await node.ctl(*permissions)
    await node.ctl(*topics)
    async with channel(node, user="moved", password=WORD) as moved:
        queue = await own_queue(moved)
        await queue.bind(topology.EVENTS, f"{ORGANIZATION}.#")
    await node.ctl(*topics[:-1], re.escape(str(OTHER)))
    await publish(node, f"{ORGANIZATION}.upload.received")
    async with channel(node, user="moved", password=WORD) as moved:
        kept = await moved.get_queue(queue.name, ensure=False)
        assert await kept.get(timeout=30) is not None


async def test_the_policy_bounds_the_queue_of_a_subscriber(node: PrivateRabbit) -> None:
    async with subscriber(node) as ours:
        queue = await own_queue(ours)
    listed = await node.ctl("list_queues", "-p", VHOST, "name", "policy")
    assert f"{queue.name}\tsubscribers" in listed
