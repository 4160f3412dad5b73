"""From `.v1` to a made-up `.v2`, on a real RabbitMQ: while workers run, and killed half-way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import aio_pika
import pytest
from aio_pika.abc import AbstractChannel
from aio_pika.message import IncomingMessage

from certpipe.broker import migration
from certpipe.broker.amqp import AmqpBroker
from certpipe.broker.connection import connect
from certpipe.broker.declare import apply, verify
from certpipe.broker.migration import EVERY, QUIET, Migrated
from certpipe.broker.topology import (
    BINDINGS,
    CURRENT,
    DEAD,
    DEAD_QUEUE,
    UPLOADS,
    UPLOADS_KEY,
    UPLOADS_QUEUE,
    WORK,
    Binding,
    Queue,
    Retired,
    Topology,
    queue_of,
)
from certpipe.core.clock import SystemClock
from certpipe.core.ports.broker import Message, Settlement
from schemas.status import Stage

OLD = queue_of(Stage.VALIDATE)
CHANGED = {"x-delivery-limit": 51}
PATIENCE = 60.0
migrate = partial(migration.migrate, clock=SystemClock(), quiet=0.0)
"""Where nobody can be stopping there is nothing to wait for."""


class Meanwhile(SystemClock):
    """A clock that no wait of takes time: in each, the next of these things happens."""

    def __init__(self, *happens: Callable[[], Awaitable[object]]) -> None:
        self.happens, self.waited = list(happens), 0.0

    async def wait(self, seconds: float, *, until: asyncio.Event | None = None) -> bool:
        self.waited += seconds
        if self.happens:
            await self.happens.pop(0)()
        return until is not None and until.is_set()


async def nothing() -> None:
    """Happens while nothing does."""


def newer(*names: str, by_workers: str | None = None) -> Topology:
    """The topology with the next version of these queues, which take one delivery more."""

    def renamed(name: str) -> str:
        return name.replace(".v1", ".v2") if name in {*names, by_workers} else name

    queues = [
        Queue(renamed(each.name), {**each.arguments, "x-delivery-limit": 51})
        if renamed(each.name) != each.name
        else each
        for each in CURRENT.queues
    ]
    bindings = [replace(each, queue=renamed(each.queue)) for each in BINDINGS]
    retired = [
        Retired(
            name,
            [each for each in BINDINGS if each.queue == name],
            None if name == by_workers else renamed(name),
        )
        for name in (*names, *([by_workers] if by_workers else []))
    ]
    return Topology(CURRENT.exchanges, queues, bindings, retired)


@asynccontextmanager
async def channel_of(url: str) -> AsyncIterator[AbstractChannel]:
    connection = await connect(url, name="migration.test")
    async with connection:
        yield await connection.channel()


async def put(channel: AbstractChannel, *bodies: str, key: str = Stage.VALIDATE, exchange: str = WORK) -> None:
    to = await channel.get_exchange(exchange, ensure=False)
    for body in bodies:
        message = aio_pika.Message(
            body.encode(),
            message_id=f"id-{body}",
            correlation_id="c-1",
            headers={"x-death": [{"count": 1}], "x-first-death-queue": "q", "x-first-death-reason": "rejected"},
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        )
        await to.publish(message, key, mandatory=True)


async def taken(channel: AbstractChannel, name: str) -> list[aio_pika.abc.AbstractIncomingMessage]:
    queue, found = await channel.get_queue(name, ensure=False), []
    while (message := await queue.get(fail=False)) is not None:
        found.append(message)
        await message.ack()
    return found


async def hold_one(channel: AbstractChannel, name: str) -> None:
    """As a worker that is stopping does: it consumes no more, and has not acknowledged yet."""
    queue, held = await channel.get_queue(name, ensure=False), asyncio.Event()

    async def hold(_: aio_pika.abc.AbstractIncomingMessage) -> None:
        held.set()

    tag = await queue.consume(hold)
    async with asyncio.timeout(PATIENCE):
        await held.wait()
    await queue.cancel(tag)


async def waiting(url: str, name: str) -> int:
    """How many messages RabbitMQ says are in a queue."""
    async with channel_of(url) as channel:
        return (await channel.declare_queue(name, passive=True)).declaration_result.message_count or 0


async def exists(url: str, name: str) -> bool:
    async with channel_of(url) as channel:
        try:
            await channel.declare_queue(name, passive=True)
        except aio_pika.exceptions.ChannelNotFoundEntity:
            return False
        return True


async def test_without_anything_retired_it_is_applying(amqp_url: str) -> None:
    assert await migrate(amqp_url) == []
    await verify(amqp_url)


async def test_what_waits_is_moved_whole_new_work_goes_to_the_new_queue_and_the_old_one_is_gone(amqp_url: str) -> None:
    await apply(amqp_url)
    topology = newer(OLD, DEAD_QUEUE)
    async with channel_of(amqp_url) as channel:
        await put(channel, *(f"{number:02}" for number in range(20)))
        await put(channel, "dead", exchange=DEAD, key="")
    assert await migrate(amqp_url, topology) == [
        Migrated(OLD, moved=20, gone=True),
        Migrated(DEAD_QUEUE, moved=1, gone=True),
    ]
    await verify(amqp_url, topology)
    assert not await exists(amqp_url, OLD)
    async with channel_of(amqp_url) as channel:
        await put(channel, "new")
        found = await taken(channel, "certpipe.validate.v2")
        assert [message.body.decode() for message in found] == [f"{number:02}" for number in range(20)] + ["new"]
        assert (found[0].message_id, found[0].correlation_id) == ("id-00", "c-1")
        assert "x-death" not in found[0].headers
        (dead,) = await taken(channel, "certpipe.dead.v2")
        assert dead.headers["x-first-death-reason"] == "rejected"
    assert await migrate(amqp_url, topology) == [Migrated(OLD, gone=True), Migrated(DEAD_QUEUE, gone=True)]


async def test_while_an_old_worker_reads_the_old_queue_stays_and_nothing_new_comes_into_it(amqp_url: str) -> None:
    await apply(amqp_url)
    topology = newer(OLD)
    old = AmqpBroker(amqp_url, role="old", clock=SystemClock(), grace=0.1)
    try:
        assert await old.wait_ready(PATIENCE)
        await old.publisher.publish([Message(WORK, Stage.VALIDATE, b"held")])
        inbox = old.inbox(OLD, prefetch=10)
        async with asyncio.timeout(PATIENCE):
            held = await inbox.receive(10)
        (told,) = await migrate(amqp_url, topology)
        assert (told.gone, told.consumers) == (False, 1)
        await old.publisher.publish([Message(WORK, Stage.VALIDATE, b"new")])
        async with channel_of(amqp_url) as channel:
            assert [message.body for message in await taken(channel, "certpipe.validate.v2")] == [b"new"]
        await inbox.settle(held, Settlement.ACK)
    finally:
        await old.close()
    await _migrated(amqp_url, topology)
    assert not await exists(amqp_url, OLD)


async def test_what_an_old_worker_gives_back_is_moved_the_next_time(amqp_url: str) -> None:
    await apply(amqp_url)
    topology = newer(OLD)
    old = AmqpBroker(amqp_url, role="old", clock=SystemClock(), grace=0.1)
    try:
        assert await old.wait_ready(PATIENCE)
        await old.publisher.publish([Message(WORK, Stage.VALIDATE, b"given back")])
        inbox = old.inbox(OLD, prefetch=10)
        async with asyncio.timeout(PATIENCE):
            await inbox.receive(10)
        assert not (await migrate(amqp_url, topology))[0].gone
    finally:
        await old.close()
    moved = 0
    async with asyncio.timeout(PATIENCE):
        while True:
            (told,) = await migrate(amqp_url, topology)
            moved += told.moved
            if told.gone:
                break
            await SystemClock().wait(0.1)
    assert moved == 1
    async with channel_of(amqp_url) as channel:
        assert [message.body for message in await taken(channel, "certpipe.validate.v2")] == [b"given back"]


async def test_what_a_worker_that_is_stopping_still_holds_is_waited_for_and_moved(amqp_url: str) -> None:
    """It consumes no more, and a classic queue counts no message that is in somebody's hands: it looks empty."""
    classic = [Queue(OLD, {"x-queue-type": "classic"}) if each.name == OLD else each for each in CURRENT.queues]
    await apply(amqp_url, replace(CURRENT, queues=classic))
    topology, said = newer(OLD), list[str]()
    async with channel_of(amqp_url) as channel, channel_of(amqp_url) as stopping:
        await put(channel, "held")
        await hold_one(stopping, OLD)

        async def dies() -> None:
            await stopping.close()
            async with asyncio.timeout(PATIENCE):
                while not await waiting(amqp_url, OLD):
                    await SystemClock().wait(0.05)

        clock = Meanwhile(*[nothing] * 20, dies)
        assert 21 * EVERY < QUIET
        told = await migration.migrate(amqp_url, topology, clock=clock, tell=said.append)
        assert told == [Migrated(OLD, moved=1, gone=True)]
        assert clock.waited == 21 * EVERY + QUIET
        assert [message.body for message in await taken(channel, "certpipe.validate.v2")] == [b"held"]
    assert not await exists(amqp_url, OLD)
    assert [OLD in line for line in said] == [True, True]


async def test_a_worker_that_is_stopping_is_one_that_reads_where_the_queue_counts_it(amqp_url: str) -> None:
    """As quorum queues do, until it has settled what it holds."""
    await apply(amqp_url)
    async with channel_of(amqp_url) as channel, channel_of(amqp_url) as stopping:
        await put(channel, "held")
        await hold_one(stopping, OLD)
        (told,) = await migrate(amqp_url, newer(OLD))
        assert (told.gone, told.consumers) == (False, 1)
    await _migrated(amqp_url, newer(OLD))
    async with channel_of(amqp_url) as channel:
        assert [message.body for message in await taken(channel, "certpipe.validate.v2")] == [b"held"]


async def test_who_comes_to_read_an_old_queue_while_it_is_waited_for_keeps_it(amqp_url: str) -> None:
    await apply(amqp_url)
    topology, back = newer(OLD, DEAD_QUEUE), list[str]()
    async with channel_of(amqp_url) as channel:
        queue = await channel.get_queue(OLD, ensure=False)

        async def ignore(_: aio_pika.abc.AbstractIncomingMessage) -> None:
            """It was never given one."""

        async def comes_back() -> None:
            back.append(await queue.consume(ignore))

        told = await migration.migrate(amqp_url, topology, clock=Meanwhile(nothing, comes_back), tell=back.append)
        assert told == [Migrated(OLD, consumers=1), Migrated(DEAD_QUEUE, gone=True)]


async def test_producers_messages_are_left_to_the_workers_of_the_older_version(amqp_url: str) -> None:
    await apply(amqp_url)
    topology = newer(by_workers=UPLOADS_QUEUE)
    async with channel_of(amqp_url) as channel:
        await put(channel, "upload", exchange=UPLOADS, key=UPLOADS_KEY)
        assert await migrate(amqp_url, topology) == [Migrated(UPLOADS_QUEUE, left=1)]
        assert [message.body for message in await taken(channel, UPLOADS_QUEUE)] == [b"upload"]
        await put(channel, "later", exchange=UPLOADS, key=UPLOADS_KEY)
        assert [message.body for message in await taken(channel, "certpipe.uploads.v2")] == [b"later"]
    assert await migrate(amqp_url, topology) == [Migrated(UPLOADS_QUEUE, gone=True)]


@pytest.mark.parametrize("at", [1, 5])
async def test_killed_half_way_it_goes_on_where_it_was_and_loses_nothing(
    amqp_url: str, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the publishing and the acknowledging: that message comes twice, which consumers are used to."""
    await apply(amqp_url)
    topology = newer(OLD)
    bodies = [f"{number:02}" for number in range(8)]
    async with channel_of(amqp_url) as channel:
        await put(channel, *bodies)
    whole, count = IncomingMessage.ack, 0

    class KilledError(Exception):
        pass

    async def dying(message: IncomingMessage, multiple: bool = False) -> None:  # noqa: FBT001, FBT002 - the library's
        nonlocal count
        count += 1
        if count == at:
            raise KilledError
        await whole(message, multiple)

    monkeypatch.setattr(IncomingMessage, "ack", dying)
    with pytest.raises(KilledError):
        await migrate(amqp_url, topology)
    monkeypatch.setattr(IncomingMessage, "ack", whole)
    assert await exists(amqp_url, OLD)
    await _migrated(amqp_url, topology)
    async with channel_of(amqp_url) as channel:
        found = [message.body.decode() for message in await taken(channel, "certpipe.validate.v2")]
    assert set(found) == set(bodies)
    assert len(found) == len(bodies) + 1


async def _migrated(url: str, topology: Topology) -> None:
    """Again and again, until RabbitMQ has noticed that whoever read the old queue is gone."""
    async with asyncio.timeout(PATIENCE):
        while not all(each.gone for each in await migrate(url, topology)):
            await SystemClock().wait(0.1)


def test_the_bindings_of_a_retired_queue_name_it() -> None:
    for old in CURRENT.retired:
        assert all(binding.queue == old.queue for binding in old.bindings)
        assert old.queue not in {queue.name for queue in CURRENT.queues}
        assert old.successor in {None, *(queue.name for queue in CURRENT.queues)}
    assert Binding(WORK, OLD, Stage.VALIDATE) in BINDINGS
