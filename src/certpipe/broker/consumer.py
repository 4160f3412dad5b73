"""Consuming from RabbitMQ: one channel per queue, watched, and built again when it is gone or falls silent."""

import asyncio
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial

from aiormq.abc import DeliveredMessage

from certpipe.broker.connection import Link
from certpipe.broker.lane import Lane
from certpipe.broker.supervision import RPC_SECONDS, first, keep, part
from certpipe.broker.trouble import explain
from certpipe.core.clock import Clock
from certpipe.core.ports.broker import Death, Delivery, Settlement

SILENCE = 15.0
"""Seconds without a delivery after which the consumer asks whether it is still one."""

_COUNTS = ("x-delivery-count", "x-acquired-count")
_LOG = logging.getLogger(__name__)


class AmqpInbox:
    """A consumer of one queue. The library's callback does nothing but put a delivery into the buffer."""

    def __init__(self, link: Link, queue: str, *, prefetch: int, clock: Clock, silence: float = SILENCE) -> None:
        self._link = link
        self._queue = queue
        self._prefetch = prefetch
        self._clock = clock
        self._silence = silence
        self._buffer: deque[Delivery] = deque()
        self._arrived = asyncio.Event()
        self._attention = asyncio.Event()
        self._stopping = asyncio.Event()
        self._quiet = asyncio.Event()
        self._ended = asyncio.Event()
        self._done = asyncio.Event()
        self._task = asyncio.create_task(keep(self._live, clock=clock, ended=self._stopping, report=self._report))
        self._task.add_done_callback(self._finish)

    async def receive(self, limit: int) -> Sequence[Delivery]:
        while not self._stopping.is_set():
            if self._buffer:
                return [self._buffer.popleft() for _ in range(min(limit, len(self._buffer)))]
            self._arrived.clear()
            await self._arrived.wait()
        return ()

    async def settle(self, deliveries: Sequence[Delivery], settlement: Settlement) -> None:
        lanes: dict[Lane, list[int]] = {}
        for delivery in deliveries:
            match delivery.token:
                case (Lane() as lane, int(tag)):
                    lanes.setdefault(lane, []).append(tag)
        for lane, tags in lanes.items():
            await lane.settle(tags, settlement)

    def holds(self, delivery: Delivery) -> bool:
        match delivery.token:
            case (Lane() as lane, int(tag)):
                return tag in lane.outstanding and not lane.gone.is_set()
            case _:
                return False

    async def stop(self) -> None:
        self._stopping.set()
        self._attention.set()
        self._arrived.set()
        await self._quiet.wait()

    async def close(self, *, grace: float) -> None:
        """Stop, wait up to `grace` seconds for what is still being worked on, and give the rest back."""
        await self.stop()
        await self._clock.wait(grace, until=self._done)
        self._ended.set()
        await asyncio.wait({self._task})

    async def _live(self) -> None:
        await first(self._link.up, self._stopping)
        if self._stopping.is_set():
            return
        lane = Lane(await self._link.channel(confirms=False), on_gone=self._attention.set)
        try:
            tag = await self._consume(lane)
            await self._watch(lane)
            if lane.gone.is_set():
                raise ConnectionResetError("the consumer was cancelled or its channel was closed")
            await lane.channel.basic_cancel(tag, timeout=RPC_SECONDS)
            await self._give_back()
            self._quiet.set()
            await lane.settled(self._ended)
        finally:
            self._buffer.clear()
            await lane.close()

    async def _consume(self, lane: Lane) -> str:
        await lane.channel.basic_qos(prefetch_count=self._prefetch, timeout=RPC_SECONDS)
        answer = await lane.channel.basic_consume(self._queue, partial(self._deliver, lane), timeout=RPC_SECONDS)
        _LOG.info("%s: consuming %s", self._link.name, self._queue)
        return str(answer.consumer_tag)

    async def _deliver(self, lane: Lane, message: DeliveredMessage) -> None:
        tag = message.delivery_tag
        if tag is None or lane.gone.is_set():
            return
        lane.take(tag)
        self._buffer.append(_delivery(message, (lane, tag)))
        self._arrived.set()

    async def _watch(self, lane: Lane) -> None:
        """Return when the lane is gone or the inbox is to stop; raise when nothing comes though there is something."""
        missed = 0
        while not self._stopping.is_set() and not lane.gone.is_set():
            before = lane.delivered
            self._attention.clear()
            if await self._clock.wait(self._silence, until=self._attention):
                continue
            waiting, consumers = 0, 1
            if lane.delivered == before and len(lane.outstanding) < self._prefetch:
                waiting, consumers = await self._look()
            missed = missed + 1 if waiting else 0
            # RabbitMQ says that nobody consumes; or others do, and this one got nothing two times over.
            if waiting and (not consumers or missed > 1):
                raise ConnectionResetError(f"the consumer of {self._queue} was dead")

    async def _look(self) -> tuple[int, int]:
        """How many messages wait, and how many consumers there are; on a channel that nothing else depends on."""
        try:
            channel = await self._link.channel(confirms=False)
            try:
                answer = await channel.queue_declare(self._queue, passive=True, timeout=RPC_SECONDS)
            finally:
                await part(channel.close())
        except TimeoutError:
            self._link.drop()
            raise
        return answer.message_count or 0, answer.consumer_count or 0

    async def _give_back(self) -> None:
        """Return to the queue what nobody received, at once: others can work on it."""
        unread = list(self._buffer)
        self._buffer.clear()
        await self.settle(unread, Settlement.REQUEUE)

    def _finish(self, _: object) -> None:
        self._quiet.set()
        self._done.set()

    def _report(self, error: Exception) -> None:
        _LOG.warning("%s: %s: %s", self._link.name, self._queue, explain(error))


def _delivery(message: DeliveredMessage, token: tuple[Lane, int]) -> Delivery:
    properties = message.header.properties
    return Delivery(
        body=message.body,
        count=_count(message),
        token=token,
        reply_to=properties.reply_to,
        correlation_id=properties.correlation_id,
        user_id=properties.user_id,
        content_type=properties.content_type,
        message_id=properties.message_id,
        death=_death(properties.headers or {}),
    )


def _death(headers: Mapping[str, object]) -> Death | None:
    """The first: a message may die again on its way through the dead letters' own queues."""
    queue, reason = headers.get("x-first-death-queue"), headers.get("x-first-death-reason")
    if not isinstance(queue, str) or not isinstance(reason, str):
        return None
    return Death(queue, reason)


def _count(message: DeliveredMessage) -> int:
    """How often it was delivered before.

    RabbitMQ up to 4.2 counts that in `x-delivery-count`. From 4.3 on that counts failures only, and `x-acquired-count`
    counts deliveries. Other queues tell no more than that there was one. A producer can write anything into headers.
    """
    headers = message.header.properties.headers or {}
    counts = [value for name in _COUNTS if isinstance(value := headers.get(name), int)]
    return max(0, int(bool(message.redelivered)), *counts)
