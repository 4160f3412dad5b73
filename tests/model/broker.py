"""A broker that may drop confirms, deliver twice and out of order, and lose everything."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from certpipe.core.errors import Unavailable
from certpipe.core.ports.broker import Delivery, Message, Settlement
from schemas.status import Stage
from tests.model.stage import AWAY, Fate, Process, Theatre


@dataclass(eq=False)
class Item:
    """A message in a queue, or with a worker."""

    body: bytes
    count: int = 0


@dataclass
class Broker:
    """Queues by stage. `dead`: what was dead-lettered."""

    theatre: Theatre
    queues: dict[str, list[Item]] = field(default_factory=lambda: {stage.value: [] for stage in Stage})
    dead: list[Item] = field(default_factory=list)
    inboxes: list["ModelInbox"] = field(default_factory=list)

    def put(self, key: str, body: bytes) -> None:
        self.queues[key].append(Item(body))
        self.wake()

    def wake(self) -> None:
        for inbox in self.inboxes:
            inbox.there.set()

    def lose(self, key: str) -> None:
        """As a disk that is gone does."""
        self.queues[key].clear()

    def publisher(self, owner: Process) -> "ModelPublisher":
        return ModelPublisher(self, owner)

    def inbox(self, owner: Process, stage: Stage) -> "ModelInbox":
        inbox = ModelInbox(self, owner, stage)
        self.inboxes.append(inbox)
        return inbox


@dataclass
class ModelPublisher:
    """The port `Publisher`."""

    broker: Broker
    owner: Process
    ready: bool = True

    async def publish(self, messages: Sequence[Message], /) -> None:
        fate = await self.broker.theatre.call(self.owner, "publish")
        for message in messages:
            self.broker.put(message.routing_key, message.body)
        if fate is Fate.ANSWER_LOST:
            raise Unavailable(AWAY)


class ModelInbox:
    """The port `Inbox`."""

    def __init__(self, broker: Broker, owner: Process, stage: Stage) -> None:
        self._broker, self._owner, self._stage = broker, owner, stage
        self._held: dict[int, Item] = {}
        self.there = asyncio.Event()

    async def receive(self, limit: int) -> Sequence[Delivery]:
        queue = self._broker.queues[self._stage.value]
        while True:
            while not queue:
                self.there.clear()
                await self.there.wait()
            await self._broker.theatre.call(self._owner, f"receive {self._stage}", brittle=False)
            taken = [queue.pop(0) for _ in range(min(limit, 2, len(queue)))]
            if taken:
                break
        self._held |= {id(item): item for item in taken}
        return [Delivery(body=item.body, count=item.count, token=item) for item in taken]

    async def settle(self, deliveries: Sequence[Delivery], settlement: Settlement) -> None:
        await self._broker.theatre.call(self._owner, settlement.name.lower(), brittle=False)
        items = [item for each in deliveries if (item := self._held.pop(id(each.token), None)) is not None]
        if settlement is Settlement.REQUEUE:
            self._give_back(items)
        elif settlement is Settlement.DEAD_LETTER:
            self._broker.dead += items

    def holds(self, delivery: Delivery) -> bool:
        return id(delivery.token) in self._held

    async def stop(self) -> None:
        """Nobody stops in the model; processes die."""

    def cut(self) -> None:
        """The connection is gone: what was not settled is delivered again, to whoever comes."""
        items, self._held = list(self._held.values()), {}
        self._give_back(items)

    def gone(self) -> None:
        """So is its process."""
        self._broker.inboxes.remove(self)
        self.cut()

    def _give_back(self, items: Sequence[Item]) -> None:
        for item in items:
            item.count += 1
        self._broker.queues[self._stage.value][:0] = items
        self._broker.wake()
