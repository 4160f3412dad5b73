"""Publishing to RabbitMQ: mandatory, confirmed, pipelined."""

import asyncio
import logging
import secrets
from collections.abc import Sequence

from aiormq.channel import Channel
from aiormq.exceptions import DeliveryError, PublishError
from pamqp.commands import Basic

from certpipe.broker.connection import Link, when_closed
from certpipe.broker.problems import BROKER_UNAVAILABLE
from certpipe.broker.supervision import RPC_SECONDS, first, keep, part
from certpipe.broker.trouble import explain
from certpipe.core.clock import Clock
from certpipe.core.errors import Unavailable
from certpipe.core.ports.broker import Message

_CHANNELS = 2
_PERSISTENT = 2
_LOG = logging.getLogger(__name__)


class AmqpPublisher:
    """Publishes over channels of its own on a connection of its own. `up` is set while it can.

    A publish that fails leaves its outcome unknown, and is never repeated here: the backlog does that.
    """

    def __init__(self, link: Link, *, clock: Clock, patience: float = RPC_SECONDS) -> None:
        self.up = asyncio.Event()
        self._link = link
        self._patience = patience
        self._channels: Sequence[Channel] = ()
        self._in_flight = 0
        self._landed = asyncio.Event()
        self._ended = asyncio.Event()
        self._task = asyncio.create_task(keep(self._live, clock=clock, ended=self._ended, report=self._report))

    @property
    def ready(self) -> bool:
        return self._link.up.is_set() and self.up.is_set()

    async def publish(self, messages: Sequence[Message], /) -> None:
        if not self.ready or self._ended.is_set():
            raise Unavailable(BROKER_UNAVAILABLE)
        channels = self._channels
        self._in_flight += 1
        try:
            answers = await asyncio.gather(
                *(self._send(channels[n % len(channels)], message) for n, message in enumerate(messages)),
                return_exceptions=True,
            )
        finally:
            self._in_flight -= 1
            self._landed.set()
        faults = [answer for answer in answers if not isinstance(answer, Basic.Ack)]
        if faults:
            self._complain(faults, len(messages))
            raise Unavailable(BROKER_UNAVAILABLE)

    async def close(self) -> None:
        """Wait for what is in flight, which takes no longer than the timeout, and close. Idempotent."""
        self._ended.set()
        await asyncio.wait({self._task})

    async def _send(self, channel: Channel, message: Message) -> object:
        """The confirmation. The library tells returned messages apart by message id alone, so each has its own."""
        return await channel.basic_publish(
            message.body,
            exchange=message.exchange,
            routing_key=message.routing_key,
            properties=Basic.Properties(
                content_type=message.content_type,
                correlation_id=message.correlation_id,
                delivery_mode=_PERSISTENT,
                message_id=message.message_id or secrets.token_hex(16),
            ),
            mandatory=message.mandatory,
            timeout=self._patience,
            wait=False,
        )

    def _complain(self, faults: Sequence[object], total: int) -> None:
        fault = faults[0]
        if any(isinstance(fault, TimeoutError) for fault in faults):
            self._link.drop()
        match fault:
            case PublishError():
                why = "no queue takes them. Run `certpipe topology apply`"
            case DeliveryError():
                # RabbitMQ 3.10 loses a queue that was deleted and declared again within half a second of a crash.
                why = (
                    "a queue refused them: it is full, or down. See rabbitmqctl list_queues name state; one that stays "
                    "down after a crash has to go (rabbitmqctl delete_queue NAME, then `certpipe topology apply`)"
                )
            case asyncio.CancelledError():
                why = "the channel was closed"
            case BaseException():
                why = explain(fault)
            case _:
                why = "there was no confirmation"
        _LOG.warning("%s: %d of %d messages not published: %s", self._link.name, len(faults), total, why)

    async def _live(self) -> None:
        await first(self._link.up, self._ended)
        if self._ended.is_set():
            return
        gone = asyncio.Event()
        channels: list[Channel] = []
        try:
            while len(channels) < _CHANNELS:
                channels.append(await self._link.channel(confirms=True))
                when_closed(channels[-1], gone.set)
            self._channels = channels
            self.up.set()
            await first(gone, self._ended)
        finally:
            self.up.clear()
            while self._in_flight and not gone.is_set():
                self._landed.clear()
                await self._landed.wait()
            for channel in channels:
                await part(channel.close())

    def _report(self, error: Exception) -> None:
        _LOG.warning("%s: cannot publish: %s", self._link.name, explain(error))
