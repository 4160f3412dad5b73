"""The feed by AMQP: every event to the topic exchange, and those of followed uploads to who asked for them."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from certpipe.core.clock import Clock
from certpipe.core.errors import Unavailable
from certpipe.core.ports.broker import Message, Publisher
from certpipe.core.ports.events import Cursors, Feed, Told

log: Final = logging.getLogger(__name__)

CURSOR: Final = "amqp"
BATCH: Final = 200
LEASE: Final = timedelta(seconds=10)
PATIENCE: Final = timedelta(seconds=60)
_FIRST_WAIT: Final = timedelta(seconds=1)
_TO_CONNECT: Final = timedelta(seconds=3)
"""A process that starts has no connection yet, which nobody need be told."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """What stands before the cursor may go on to `position`; `full`: there may be more behind it.

    `due_at`: when it is to be offered, for the first time or again.
    """

    position: int
    messages: Sequence[Message]
    began: datetime
    due_at: datetime
    full: bool


class EventPublisher:
    """Reads the feed behind a cursor, publishes confirmed, and only then goes on. Several may run; one at a time does.

    While the broker or the database is away it waits, and says so once. A message that a queue refuses while the
    broker is there (a subscriber's queue that is full, and rejects) is tried for a minute and then left out, with an
    error in the log, and so is at once what is refused the same way afterwards, until something is taken again: one
    subscriber must not keep all others from their events. It is tried seldom, for other queues may take it each time.

    Attributes:
        heard: is set when the feed may have grown, and when it is time to stop.
        exchange: the topic exchange; the routing key is `<organization>.<type>`.
        every: seconds between two looks when no hint comes.
    """

    def __init__(
        self,
        *,
        feed: Feed,
        cursors: Cursors,
        publisher: Publisher,
        heard: asyncio.Event,
        exchange: str,
        clock: Clock,
        every: float = 1.0,
    ) -> None:
        self._feed, self._cursors, self._publisher, self._heard = feed, cursors, publisher, heard
        self._exchange, self._clock, self._every = exchange, clock, every
        self._owner = uuid4()
        self._position: int | None = None
        self._renew_at = clock.now()
        self._refused: _Batch | None = None
        self._hopeless: set[tuple[str, str]] = set()
        self._away_since: datetime | None = None
        self._trouble = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Publish until `stopping` is set."""
        while not stopping.is_set():
            self._heard.clear()
            more = await self._publish()
            if not more and not stopping.is_set():
                await self._clock.wait(self._every, until=self._heard)

    async def _publish(self) -> bool:
        """True when there may be more."""
        if not self._publisher.ready:
            now = self._clock.now()
            self._away_since = self._away_since or now
            if now - self._away_since >= _TO_CONNECT:
                self._say("the broker is away; events wait for it")
            return False
        self._away_since = None
        try:
            position = await self._mine()
            if position is None:
                self._refused = None
                return False
            batch = self._refused or await self._next(position)
            return batch is not None and await self._through(batch)
        except Unavailable as away:
            self._position = self._refused = None
            self._say("events cannot be published now", codes=str(away))
            return False

    async def _mine(self) -> int | None:
        """The position, if the cursor is ours; asked again only when half of the lease is over."""
        now = self._clock.now()
        if self._position is None or now >= self._renew_at:
            self._position = await self._cursors.take(CURSOR, self._owner, now, now + LEASE)
            self._renew_at = now + LEASE / 2
        return self._position

    async def _next(self, position: int) -> _Batch | None:
        told = await self._feed.after(position, BATCH)
        if not told:
            return None
        messages = [message for each in told for message in self._messages(each)]
        now = self._clock.now()
        return _Batch(told[-1].position, messages, now, now, full=len(told) == BATCH)

    async def _through(self, batch: _Batch) -> bool:
        """Publish it, and go on; true when there may be more."""
        if self._clock.now() < batch.due_at:
            return False
        refused = await self._offered(batch.messages)
        self._hopeless -= _ways(batch.messages) - _ways(refused)
        now = self._clock.now()
        if now - batch.began >= PATIENCE:
            self._hopeless |= _ways(refused)
        waiting = [message for message in refused if _way(message) not in self._hopeless]
        for message in refused:
            if _way(message) in self._hopeless:
                log.error("a queue refuses events for long; left out", extra={"event_id": message.message_id})
        if waiting:
            again_at = now + max(_FIRST_WAIT, now - batch.began)
            self._refused = _Batch(batch.position, waiting, batch.began, again_at, batch.full)
            self._say("a queue refuses events")
            return False
        self._refused = None
        mine = await self._cursors.advance(CURSOR, self._owner, batch.position)
        self._position = batch.position if mine else None
        if self._trouble:
            self._trouble = False
            log.info("publishing events again")
        return mine and batch.full

    async def _offered(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Those that were refused. Raises `Unavailable` when the broker is away: then all are published again."""
        try:
            await self._publisher.publish(messages)
        except Unavailable:
            if not self._publisher.ready:
                raise
            if len(messages) == 1:
                return messages
            return [refused for message in messages for refused in await self._offered([message])]
        return ()

    def _messages(self, told: Told) -> Sequence[Message]:
        """To the exchange, and to the follower's queue. Nobody may want either, so neither is mandatory."""
        event, body = told.event, told.event.body()
        key = f"{told.organization_id}.{event.type}"
        to_all = Message(self._exchange, key, body, mandatory=False, message_id=event.id)
        if told.reply_to is None:
            return [to_all]
        correlation = told.correlation_id
        reply = Message("", told.reply_to, body, correlation_id=correlation, mandatory=False, message_id=event.id)
        return [to_all, reply]

    def _say(self, sentence: str, *, codes: str | None = None) -> None:
        """Once: it is tried every second."""
        if not self._trouble:
            self._trouble = True
            log.warning(sentence, extra={"codes": codes} if codes else None)


def _way(message: Message) -> tuple[str, str]:
    """What leads to the same queues."""
    return message.exchange, message.routing_key


def _ways(messages: Iterable[Message]) -> set[tuple[str, str]]:
    return set(map(_way, messages))
