"""RabbitMQ behind the port: what is published and what is consumed go over connections of their own."""

import asyncio

from certpipe.broker.connection import Link
from certpipe.broker.consumer import SILENCE, AmqpInbox
from certpipe.broker.publisher import AmqpPublisher
from certpipe.broker.supervision import RPC_SECONDS
from certpipe.core.clock import Clock
from certpipe.core.ports.broker import Publisher

GRACE = 5.0
"""Seconds that closing waits for deliveries that are still being worked on."""


class AmqpBroker:
    """Connects in the background, the first time too, and for ever: a broker that is down ends no process.

    A full socket or a memory alarm stops a publisher only: acknowledgements and heartbeats of the consumers go on.
    """

    def __init__(
        self,
        url: str,
        *,
        role: str,
        clock: Clock,
        patience: float = RPC_SECONDS,
        grace: float = GRACE,
        silence: float = SILENCE,
    ) -> None:
        self._clock = clock
        self._grace = grace
        self._silence = silence
        self._publish = Link(url, name=f"certpipe.{role}.publish", clock=clock)
        self._consume = Link(url, name=f"certpipe.{role}.consume", clock=clock)
        self._publisher = AmqpPublisher(self._publish, clock=clock, patience=patience)
        self._inboxes: list[AmqpInbox] = []
        self._closing = asyncio.Lock()
        self.publisher: Publisher = self._publisher

    def inbox(self, queue: str, *, prefetch: int) -> AmqpInbox:
        """A consumer that starts as soon as there is a connection and the queue, and says in the log what it lacks."""
        inbox = AmqpInbox(self._consume, queue, prefetch=prefetch, clock=self._clock, silence=self._silence)
        self._inboxes.append(inbox)
        return inbox

    async def wait_ready(self, seconds: float) -> bool:
        """Wait until messages can be published; false when that took too long."""
        return await self._clock.wait(seconds, until=self._publisher.up)

    async def close(self) -> None:
        async with self._closing:
            inboxes, self._inboxes = self._inboxes, []
            await asyncio.gather(*(inbox.close(grace=self._grace) for inbox in inboxes))
            await self._publisher.close()
            await self._consume.close()
            await self._publish.close()
