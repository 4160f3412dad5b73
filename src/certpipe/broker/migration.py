"""From the queues of an older version to those of this one, while workers of both run. May be killed at any point.

In this order, each step of which may be done again: the new queues are declared and bound; the old ones are unbound, so
that nothing new comes into them; what is left in an old one is published to its successor and only then acknowledged
(twice is possible, lost is not); an old one that is empty, and that nobody consumes any more, is deleted.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import aio_pika
from aio_pika.abc import AbstractIncomingMessage
from aiormq.exceptions import AMQPError, ChannelNotFoundEntity

from certpipe.broker.declare import apply, connected
from certpipe.broker.problems import BROKER_UNAVAILABLE
from certpipe.broker.supervision import RPC_SECONDS, apart
from certpipe.broker.topology import CURRENT, Retired, Topology
from certpipe.broker.trouble import explain
from certpipe.core.errors import Unavailable

_BROKERS_OWN: Final = frozenset({"x-death", "x-delivery-count", "x-acquired-count", "CC", "BCC"})
"""Headers that mean something to the broker: given back to it, they would let it drop a message as one that circles."""


@dataclass(frozen=True, slots=True)
class Migrated:
    """What became of one old queue. `left`: messages in it; `consumers`: workers that still read it."""

    queue: str
    moved: int = 0
    left: int = 0
    consumers: int = 0
    gone: bool = False


async def migrate(url: str, topology: Topology = CURRENT) -> Sequence[Migrated]:
    """Bring RabbitMQ from the retired queues of `topology` to its others; tells of each retired one.

    Raises `TopologyError` and `Unavailable` as `apply` does.
    """
    await apply(url, topology)
    async with connected(url, name="certpipe.topology.migrate") as connection:
        try:
            return [await apart(_retire(connection, old)) for old in topology.retired]
        except (AMQPError, OSError) as error:
            raise Unavailable(replace(BROKER_UNAVAILABLE, hint=explain(error))) from error


async def _retire(connection: aio_pika.Connection, old: Retired) -> Migrated:
    found = await _look(connection, old.queue)
    if found is None:
        return Migrated(old.queue, gone=True)
    async with connection.channel(on_return_raises=True) as channel:
        queue = await channel.get_queue(old.queue, ensure=False)
        for binding in old.bindings:
            await queue.unbind(binding.exchange, binding.key, timeout=RPC_SECONDS)
        moved = 0 if old.successor is None else await _drain(channel, queue, old.successor)
        # Without a consumer there is no message in anybody's hands, so that empty means empty.
        found = await _look(connection, old.queue) or (0, 0)
        left, consumers = found
        if left or consumers:
            return Migrated(old.queue, moved, left, consumers)
        await queue.delete(if_unused=False, if_empty=False, timeout=RPC_SECONDS)
    return Migrated(old.queue, moved, gone=True)


async def _look(connection: aio_pika.Connection, name: str) -> tuple[int, int] | None:
    """How many messages, and how many consumers; on a channel of its own, which a missing queue closes."""
    channel = await connection.channel()
    try:
        queue = await channel.declare_queue(name, passive=True, timeout=RPC_SECONDS)
    except ChannelNotFoundEntity:
        return None
    else:
        result = queue.declaration_result
        return result.message_count or 0, result.consumer_count or 0
    finally:
        if not channel.is_closed:
            await channel.close()


async def _drain(channel: aio_pika.abc.AbstractChannel, queue: aio_pika.abc.AbstractQueue, successor: str) -> int:
    moved = 0
    while (message := await queue.get(fail=False, timeout=RPC_SECONDS)) is not None:
        await channel.default_exchange.publish(_again(message), successor, mandatory=True, timeout=RPC_SECONDS)
        await message.ack()
        moved += 1
    return moved


def _again(message: AbstractIncomingMessage) -> aio_pika.Message:
    """The same message, but for its publisher, whom only the broker may vouch for."""
    return aio_pika.Message(
        message.body,
        headers={name: value for name, value in message.headers.items() if name not in _BROKERS_OWN},
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        correlation_id=message.correlation_id,
        reply_to=message.reply_to,
        message_id=message.message_id,
        timestamp=message.timestamp,
        type=message.type,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
    )
