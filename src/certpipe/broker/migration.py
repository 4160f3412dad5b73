"""From the queues of an older version to those of this one, while workers of both run. May be killed at any point.

In this order, each step of which may be done again: the new queues are declared and bound; the old ones are unbound, so
that nothing new comes into them; what is left in an old one is published to its successor and only then acknowledged
(twice is possible, lost is not); an old one that has been empty for long, without anybody who consumes it, is deleted.
"""

from collections.abc import Callable, Sequence
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
from certpipe.core.clock import Clock
from certpipe.core.errors import Unavailable

QUIET: Final = 120.0
"""Seconds without messages and consumers after which nobody can hold a message of a queue any more.

A process that is stopping consumes no more, but holds what it works on, which not every queue counts. It ends, or is
killed, 45 s after its SIGTERM (docker-compose.yml), and what it held is back in the queue when its connection ends;
two heartbeats later where its machine is gone, too.
"""
EVERY: Final = 5.0
"""Seconds between two looks meanwhile."""

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

    @property
    def idle(self) -> bool:
        """Whether it looks as if nobody wanted it any more."""
        return not (self.gone or self.left or self.consumers)


async def migrate(
    url: str,
    topology: Topology = CURRENT,
    *,
    clock: Clock,
    tell: Callable[[str], object] = lambda _: None,
    quiet: float = QUIET,
) -> Sequence[Migrated]:
    """Bring RabbitMQ from the retired queues of `topology` to its others; tells of each retired one.

    Ends when each of them is gone or still in use. `tell` is told, in a sentence, what is waited for; `quiet`: seconds.
    Raises `TopologyError` and `Unavailable` as `apply` does.
    """
    await apply(url, topology)
    async with connected(url, name="certpipe.topology.migrate") as connection:
        retirements = [_Retirement(old, Migrated(old.queue), tell) for old in topology.retired]
        try:
            while True:
                for each in retirements:
                    await apart(each.go_on(connection, quiet))
                if not any(each.migrated.idle for each in retirements):
                    return [each.migrated for each in retirements]
                await clock.wait(EVERY)
        except (AMQPError, OSError) as error:
            raise Unavailable(replace(BROKER_UNAVAILABLE, hint=explain(error))) from error


@dataclass(slots=True)
class _Retirement:
    """Of one queue. `idle_for`: for how many seconds it has been idle, by the waits in between; None: it is not."""

    old: Retired
    migrated: Migrated
    tell: Callable[[str], object]
    idle_for: float | None = None

    async def go_on(self, connection: aio_pika.Connection, quiet: float) -> None:
        """Look again, `EVERY` seconds after the last time; move what is there; delete it when its time has come."""
        if self.migrated.gone:
            return
        before = self.migrated.moved
        now = await _emptied(connection, self.old)
        self.migrated = replace(now, moved=before + now.moved)
        if not self.migrated.idle:
            self.idle_for = None
            return
        self.idle_for = 0.0 if self.idle_for is None or now.moved else self.idle_for + EVERY
        if self.idle_for >= quiet:
            await _delete(connection, self.old.queue)
            self.migrated = replace(self.migrated, gone=True)
        elif not self.idle_for:
            self.tell(
                f"{self.old.queue} is empty and read by nobody; a worker that is stopping may still hold messages "
                f"of it, so it is deleted when that has lasted {quiet:.0f} seconds."
            )


async def _emptied(connection: aio_pika.Connection, old: Retired) -> Migrated:
    """What was moved out of it just now, and what is in it then."""
    if await _look(connection, old.queue) is None:
        return Migrated(old.queue, gone=True)
    async with connection.channel(on_return_raises=True) as channel:
        queue = await channel.get_queue(old.queue, ensure=False)
        for binding in old.bindings:
            await queue.unbind(binding.exchange, binding.key, timeout=RPC_SECONDS)
        moved = 0 if old.successor is None else await _drain(channel, queue, old.successor)
    left, consumers = await _look(connection, old.queue) or (0, 0)
    return Migrated(old.queue, moved, left, consumers)


async def _delete(connection: aio_pika.Connection, name: str) -> None:
    """Without conditions: quorum queues know none."""
    async with connection.channel() as channel:
        await channel.queue_delete(name, timeout=RPC_SECONDS)


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
