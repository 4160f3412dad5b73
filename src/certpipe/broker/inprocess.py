"""The broker within one process: the embedded default.

It holds messages in memory only. That is safe because the truth is in PostgreSQL: what a crash loses here, the sweeper
publishes again. Routing follows the same topology as RabbitMQ, so that a fault in it shows here too.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from certpipe.broker import topology
from certpipe.broker.problems import BROKER_UNAVAILABLE, TopologyError
from certpipe.core.errors import Unavailable
from certpipe.core.ports.broker import Death, Delivery, Message, Publisher, Settlement


@dataclass(slots=True, eq=False)
class _Item:
    message: Message
    count: int = 0
    death: Death | None = None


@dataclass(slots=True, eq=False)
class _Queue:
    name: str
    delivery_limit: int = topology.NO_DELIVERY_LIMIT
    dead_letters: str | None = None
    items: deque[_Item] = field(default_factory=deque)
    listeners: set[asyncio.Event] = field(default_factory=set)

    def put(self, message: Message, death: Death | None) -> None:
        self.items.append(_Item(message, death=death))
        self.wake()

    def give_back(self, items: Sequence[_Item]) -> Sequence[_Item]:
        """Return items to the head, in their order; answers with those that came back too often."""
        worn = []
        for item in reversed(items):
            item.count += 1
            if item.count > self.delivery_limit:
                worn.append(item)
            else:
                self.items.appendleft(item)
        self.wake()
        return worn

    def wake(self) -> None:
        for listener in self.listeners:
            listener.set()


class _Router:
    """Where a message goes, by the topology's bindings; the nameless exchange routes by the queue's name."""

    def __init__(self) -> None:
        self.queues = {queue.name: self._made(queue) for queue in topology.QUEUES}

    @staticmethod
    def _made(queue: topology.Queue) -> _Queue:
        exchange = queue.arguments.get("x-dead-letter-exchange")
        return _Queue(queue.name, int(queue.arguments["x-delivery-limit"]), None if exchange is None else str(exchange))

    def route(self, message: Message, death: Death | None = None) -> bool:
        """Put the message into each queue that wants it; false when none does."""
        targets = [self.queues[name] for name in self._names(message) if name in self.queues]
        for queue in targets:
            queue.put(message, death)
        return bool(targets)

    def bury(self, items: Iterable[_Item], queue: _Queue, reason: str) -> None:
        """Hand dead messages to the dead letters; without an exchange for them they are gone, as in RabbitMQ."""
        if queue.dead_letters is not None:
            for item in items:
                death = item.death or Death(queue.name, reason)
                self.route(replace(item.message, exchange=queue.dead_letters), death)

    @staticmethod
    def _names(message: Message) -> Sequence[str]:
        if not message.exchange:
            return [message.routing_key]
        kinds = {exchange.name: exchange.kind for exchange in topology.EXCHANGES}
        return [
            binding.queue
            for binding in topology.BINDINGS
            if binding.exchange == message.exchange
            and (kinds[binding.exchange] == "fanout" or binding.key == message.routing_key)
        ]


class InProcessPublisher:
    """Puts messages into the queues at once."""

    def __init__(self, router: _Router) -> None:
        self._router = router
        self.ready = True

    async def publish(self, messages: Sequence[Message], /) -> None:
        if not self.ready:
            raise Unavailable(BROKER_UNAVAILABLE)
        unrouted = [message for message in messages if not self._router.route(message) and message.mandatory]
        if unrouted:
            raise Unavailable(BROKER_UNAVAILABLE)


class InProcessInbox:
    """A consumer that takes from the queue only what it has room for."""

    def __init__(self, queue: _Queue, router: _Router, *, prefetch: int) -> None:
        self._queue = queue
        self._router = router
        self._prefetch = prefetch
        self._held: dict[_Item, None] = {}
        self._stopped = False
        self._wake = asyncio.Event()
        queue.listeners.add(self._wake)

    async def receive(self, limit: int) -> Sequence[Delivery]:
        while not self._stopped:
            taken = self._take(limit)
            if taken:
                return taken
            self._wake.clear()
            await self._wake.wait()
        return ()

    async def settle(self, deliveries: Sequence[Delivery], settlement: Settlement) -> None:
        held = [item for delivery in deliveries if isinstance(item := delivery.token, _Item) and item in self._held]
        held = list(dict.fromkeys(held))
        for item in held:
            del self._held[item]
        match settlement:
            case Settlement.ACK:
                pass
            case Settlement.REQUEUE:
                self._give_back(held)
            case Settlement.DEAD_LETTER:
                self._router.bury(held, self._queue, "rejected")
        self._wake.set()

    def holds(self, delivery: Delivery) -> bool:
        return isinstance(delivery.token, _Item) and delivery.token in self._held

    async def stop(self) -> None:
        self._stopped = True
        self._queue.listeners.discard(self._wake)
        self._wake.set()

    def abandon(self) -> None:
        """Give back what was never settled."""
        held, self._held = list(self._held), {}
        self._give_back(held)

    def _take(self, limit: int) -> Sequence[Delivery]:
        room = min(limit, self._prefetch - len(self._held), len(self._queue.items))
        items = [self._queue.items.popleft() for _ in range(room)]
        self._held.update(dict.fromkeys(items))
        return [_delivery(item) for item in items]

    def _give_back(self, items: Sequence[_Item]) -> None:
        worn = self._queue.give_back(items)
        self._router.bury(worn, self._queue, "delivery_limit")


class InProcessBroker:
    """Publisher, queues and consumers in memory."""

    def __init__(self) -> None:
        self._router = _Router()
        self._inboxes: list[InProcessInbox] = []
        self._publisher = InProcessPublisher(self._router)
        self.publisher: Publisher = self._publisher

    def inbox(self, queue: str, *, prefetch: int) -> InProcessInbox:
        """Raises `TopologyError` when there is no such queue."""
        if queue not in self._router.queues:
            raise TopologyError(f"There is no queue {queue} in the topology")
        inbox = InProcessInbox(self._router.queues[queue], self._router, prefetch=prefetch)
        self._inboxes.append(inbox)
        return inbox

    def declare(self, queue: str) -> None:
        """Make a queue outside the topology, for replies: without dead letters, reached by the nameless exchange."""
        self._router.queues.setdefault(queue, _Queue(queue))

    async def wait_ready(self, seconds: float) -> bool:  # noqa: ARG002 - nothing to wait for; the AMQP broker has it
        """True while it is open."""
        return self.publisher.ready

    async def close(self) -> None:
        self._publisher.ready = False
        for inbox in self._inboxes:
            await inbox.stop()
            inbox.abandon()


def _delivery(item: _Item) -> Delivery:
    message = item.message
    return Delivery(
        body=message.body,
        count=item.count,
        token=item,
        correlation_id=message.correlation_id,
        content_type=message.content_type,
        message_id=message.message_id,
        death=item.death,
    )
