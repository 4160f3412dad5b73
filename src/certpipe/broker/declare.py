"""Bringing the topology to RabbitMQ, and seeing whether it is there unchanged."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import aio_pika
from aiormq.abc import AbstractChannel
from aiormq.exceptions import (
    AMQPError,
    AuthenticationError,
    ChannelAccessRefused,
    ChannelNotFoundEntity,
    ChannelPreconditionFailed,
    ConnectionNotAllowed,
    ProbableAuthenticationError,
)

from certpipe.broker.connection import connect
from certpipe.broker.problems import BROKER_REFUSED, BROKER_UNAVAILABLE, TopologyError
from certpipe.broker.supervision import RPC_SECONDS, apart, part
from certpipe.broker.topology import CURRENT, Binding, Exchange, Queue, Topology
from certpipe.broker.trouble import explain
from certpipe.core.errors import Unavailable

_LOG = logging.getLogger(__name__)
_REFUSALS = (AuthenticationError, ProbableAuthenticationError, ConnectionNotAllowed)
Step = Callable[[AbstractChannel], Awaitable[object]]


async def apply(url: str, topology: Topology = CURRENT) -> None:
    """Declare everything, the dead letters first. Idempotent.

    Raises `TopologyError` when something is there with other arguments or may not be declared, with all such things
    and their remedies; `Unavailable` when RabbitMQ cannot be reached.
    """
    steps: list[tuple[Exchange | Queue | Binding, Step]] = [
        *((exchange, _declare_exchange(exchange, passive=False)) for exchange in topology.exchanges),
        *((queue, _declare_queue(queue, passive=False)) for queue in topology.queues),
        *((binding, _bind(binding)) for binding in topology.bindings),
    ]
    await _run(url, "certpipe.topology.apply", steps)


async def verify(url: str, topology: Topology = CURRENT) -> None:
    """See that everything is there with these arguments, and create nothing. Bindings cannot be seen over AMQP: a
    missing one shows when something is published, as a message that no queue takes.

    A passive declaration does not compare arguments; an active one of what exists does, where the user may configure.
    Where he may not, existence is all that is checked. Raises as `apply` does.
    """
    steps: list[tuple[Exchange | Queue | Binding, Step]] = [
        *(
            (it, _compared(_declare_exchange(it, passive=True), _declare_exchange(it, passive=False)))
            for it in topology.exchanges
        ),
        *(
            (it, _compared(_declare_queue(it, passive=True), _declare_queue(it, passive=False)))
            for it in topology.queues
        ),
    ]
    await _run(url, "certpipe.topology.verify", steps)


def _declare_exchange(exchange: Exchange, *, passive: bool) -> Step:
    return lambda channel: channel.exchange_declare(
        exchange.name, exchange_type=exchange.kind, durable=True, passive=passive, timeout=RPC_SECONDS
    )


def _declare_queue(queue: Queue, *, passive: bool) -> Step:
    return lambda channel: channel.queue_declare(
        queue.name, durable=True, passive=passive, arguments=dict(queue.arguments), timeout=RPC_SECONDS
    )


def _bind(binding: Binding) -> Step:
    return lambda channel: channel.queue_bind(binding.queue, binding.exchange, binding.key, timeout=RPC_SECONDS)


def _compared(passive: Step, active: Step) -> Step:
    async def step(channel: AbstractChannel) -> None:
        await passive(channel)
        try:
            await active(channel)
        except ChannelAccessRefused:
            _LOG.info("arguments were not compared: this user may not configure")

    return step


async def _run(url: str, name: str, steps: Sequence[tuple[Exchange | Queue | Binding, Step]]) -> None:
    async with connected(url, name=name) as connection:
        faults = [fault for subject, step in steps if (fault := await _tried(connection, subject, step))]
    if faults:
        raise TopologyError("\n".join(faults))


@asynccontextmanager
async def connected(url: str, *, name: str) -> AsyncIterator[aio_pika.Connection]:
    """A connection for a while. Raises `Unavailable`, with what helps, when there is none."""
    try:
        connection = await apart(connect(url, name=name))
    except _REFUSALS as error:
        raise Unavailable(replace(BROKER_REFUSED, hint=explain(error))) from error
    except (AMQPError, OSError) as error:
        raise Unavailable(replace(BROKER_UNAVAILABLE, hint=explain(error))) from error
    try:
        yield connection
    finally:
        await part(connection.close())


async def _tried(connection: aio_pika.Connection, subject: Exchange | Queue | Binding, step: Step) -> str | None:
    """What is wrong with `subject`, if anything. On a channel of its own: RabbitMQ closes it over every fault."""
    if connection.transport is None:
        raise Unavailable(BROKER_UNAVAILABLE)
    channel = await apart(connection.transport.connection.channel(publisher_confirms=False, timeout=RPC_SECONDS))
    try:
        await apart(_as_coroutine(step, channel))
    except (ChannelPreconditionFailed, ChannelNotFoundEntity, ChannelAccessRefused) as error:
        return _fault(subject, error)
    except (AMQPError, OSError) as error:
        raise Unavailable(replace(BROKER_UNAVAILABLE, hint=explain(error))) from error
    finally:
        await part(channel.close())
    return None


async def _as_coroutine(step: Step, channel: AbstractChannel) -> None:
    await step(channel)


def _fault(subject: Exchange | Queue | Binding, error: AMQPError) -> str:
    match subject, error:
        case Queue(name, arguments), ChannelPreconditionFailed():
            expected = ", ".join(f"{key}={value}" for key, value in arguments.items())
            return (
                f"Queue {name} is not as it must be: {error}. Expected: durable, {expected}. Arguments cannot change: "
                f"let it run empty, delete it (rabbitmqctl delete_queue {name}) and run `certpipe topology apply`"
            )
        case Exchange(name, kind), ChannelPreconditionFailed():
            return (
                f"Exchange {name} is not as it must be: {error}. Expected: durable, {kind}. Delete it while nobody "
                "publishes, and run `certpipe topology apply`"
            )
        case Binding(exchange, queue, key), _:
            return f"Queue {queue} cannot be bound to {exchange} by key {key!r}: {explain(error)}"
        case ((Queue(name) | Exchange(name)), _):
            return f"{name}: {explain(error)}"
