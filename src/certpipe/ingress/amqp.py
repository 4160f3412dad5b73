"""The producers' door: each message of the queue of uploads is taken in, or answered and kept in the dead letters."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from certpipe.core.clock import Clock
from certpipe.core.errors import Rejected, Unavailable, place
from certpipe.core.ports.broker import Delivery, Inbox, Message, Publisher, Settlement
from certpipe.core.ports.directory import Directory, Producer
from certpipe.core.ports.doors import Follower, IdempotencyConflictError, IdempotencyInFlightError
from certpipe.core.problems import INTERNAL, Problem
from certpipe.core.remains import remains
from certpipe.core.retry import Backoff
from certpipe.ingress.aside import Aside
from certpipe.ingress.intake import IntakeService
from certpipe.ingress.problems import (
    IDEMPOTENCY_CONFLICT,
    NOT_IN_CLEAR,
    NOWHERE_TO_FOLLOW,
    ORGANIZATION_BUSY,
    UNKNOWN_PRODUCER,
)
from certpipe.ingress.producing import content_of, parse_message
from certpipe.ingress.refusal import RefusedError
from schemas.messages import RefusedMessage
from schemas.upload import UploadMessage, UploadReply

LOG = logging.getLogger(__name__)
DOOR = "amqp"
MOST_AT_ONCE = 64
PREFETCH: Final = 512
"""More than may be put aside, so that there always is room for the messages of others."""
AGAIN: Final = 2.0
"""Seconds after which those that were put aside are tried again."""
# Nobody may have us write into a queue of ours by naming it as the place for an answer.
OURS = "certpipe."


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one message: what its producer is told. Its delivery is acked.

    `kept`: what goes to the dead letters in the place of a message that was refused.
    """

    reply: UploadReply
    kept: bytes | None = field(default=None, repr=False)


ASIDE: Final = Verdict(UploadReply(accepted=False, upload_id=None, problems=()))
"""No end yet: it was put aside, or comes again."""


@dataclass(frozen=True, slots=True)
class ProducersDoor:
    """Takes uploads in from a queue. A delivery is acked when its upload is committed, and not before.

    Messages of an organization that has too much on its way are put aside, and tried again while others go on. Where
    there is no more place, or they have waited for long, they are refused (`organization_overloaded`), answered, and
    kept in the dead letters.

    Attributes:
        inbox: of the queue of uploads.
        publisher: carries the answers.
        service: the one way in.
        directory: tells whose a broker user is.
        dead_letters: the exchange to which what is kept of a message is published.
        clock: waits.
        patience: how long a message is held while the database is away or full, before the broker gets it back.
            Holding is better than requeueing: the broker counts each return, and gives up at some number. That are
            about thirteen minutes: less than half of the time after which the broker takes back what is not settled.
    """

    inbox: Inbox
    publisher: Publisher
    service: IntakeService
    directory: Directory
    dead_letters: str
    clock: Clock
    patience: Backoff = field(default_factory=lambda: Backoff(first=0.5, most=15.0, attempts=60))
    aside: Aside = field(default_factory=Aside)

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set; then settle what was received, and return."""
        async with asyncio.TaskGroup() as tasks:
            others = [tasks.create_task(self._stop_at(stopping)), tasks.create_task(self._try_again(stopping))]
            while deliveries := await self.inbox.receive(MOST_AT_ONCE):
                await self._handle(deliveries, stopping)
            for other in others:
                other.cancel()
        if left := self.aside.empty():
            await self.inbox.settle(left, Settlement.REQUEUE)

    async def _stop_at(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        await self.inbox.stop()

    async def _try_again(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await self.aside.filled.wait()
            await self.clock.wait(AGAIN, until=stopping)
            # Side by side: while the database is away each batch is held for long, and the last must not wait for all.
            await asyncio.gather(*(self._handle(each, stopping) for each in self.aside.oldest(MOST_AT_ONCE)))

    async def _handle(self, deliveries: Sequence[Delivery], stopping: asyncio.Event) -> None:
        waiting, tries = deliveries, 0
        while waiting := self._still_held(waiting):
            verdicts = await asyncio.gather(*(self._judge(delivery) for delivery in waiting))
            kept = await self._keep([verdict for verdict in verdicts if verdict and verdict.kept])
            judged = [
                (delivery, verdict if verdict and (kept or not verdict.kept) else None)
                for delivery, verdict in zip(waiting, verdicts, strict=True)
                if verdict is not ASIDE
            ]
            ended = [(delivery, verdict) for delivery, verdict in judged if verdict]
            self.aside.drop([delivery for delivery, _ in ended])
            await self._end(ended)
            waiting = [delivery for delivery, verdict in judged if verdict is None]
            tries += 1
            delay = self.patience.delay(tries) if waiting else None
            if waiting and (delay is None or await self.clock.wait(delay, until=stopping)):
                self.aside.drop(waiting)
                await self.inbox.settle(waiting, Settlement.REQUEUE)
                return

    def _still_held(self, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Without those whose connection is gone, here and among those that were put aside: they come again."""
        self.aside.keep_only(self.inbox.holds)
        return [delivery for delivery in deliveries if self.inbox.holds(delivery)]

    async def _judge(self, delivery: Delivery) -> Verdict | None:
        """None: it did not happen, and may later. `ASIDE`: likewise, and nobody else need wait for it."""
        message: UploadMessage | None = None
        producer: Producer | None = None
        try:
            producer = await self._producer(delivery)
            message = parse_message(delivery.body)
            return await self._take(message, producer, _follower(delivery) if message.follow else None)
        except (Unavailable, IdempotencyInFlightError) as error:
            return self._put_off(error, delivery, message, producer)
        except IdempotencyConflictError:
            return _refusal(delivery, message, [IDEMPOTENCY_CONFLICT.about("upload_id")])
        except (RefusedError, Rejected) as error:
            return _refusal(delivery, message, error.problems)
        except Exception as error:  # noqa: BLE001 - one message that nobody foresaw must not stop all others
            LOG.error("a message of %s: %s", delivery.user_id, place(error))
            return _refusal(delivery, message, [INTERNAL])

    def _put_off(
        self,
        error: Unavailable | IdempotencyInFlightError,
        delivery: Delivery,
        message: UploadMessage | None,
        producer: Producer | None,
    ) -> Verdict | None:
        if producer is None or not isinstance(error, Unavailable) or ORGANIZATION_BUSY not in error.problems:
            return None
        if not self.inbox.holds(delivery) or self.aside.put(producer.organization_id, delivery, self.clock.now()):
            return ASIDE
        return _refusal(delivery, message, error.problems)

    async def _producer(self, delivery: Delivery) -> Producer:
        """By the user that the broker itself proved; nothing in the body says whose an upload is."""
        producer = await self.directory.producer(delivery.user_id) if delivery.user_id else None
        if producer is None:
            raise RefusedError(UNKNOWN_PRODUCER)
        return producer

    async def _take(self, message: UploadMessage, producer: Producer, follower: Follower | None) -> Verdict:
        if message.clear is not None and not producer.may_send_clear:
            raise RefusedError(NOT_IN_CLEAR)
        accepted = await self.service.take(
            message.upload_id,
            content_of(message),
            producer=producer,
            party_id=message.party_id,
            kind=message.kind,
            door=DOOR,
            follower=follower,
        )
        return Verdict(UploadReply(accepted=True, upload_id=accepted.ref.id))

    async def _keep(self, verdicts: Sequence[Verdict]) -> bool:
        """Publish what is kept of these; false when that did not happen, and they have to wait."""
        copies = [Message(exchange=self.dead_letters, routing_key="", body=verdict.kept or b"") for verdict in verdicts]
        if copies:
            try:
                await self.publisher.publish(copies)
            except Unavailable:
                return False
        return True

    async def _end(self, judged: Sequence[tuple[Delivery, Verdict]]) -> None:
        """Answer, then settle: a crash in between answers twice, and never not at all."""
        replies = [_reply(delivery, verdict.reply) for delivery, verdict in judged if _wants_reply(delivery)]
        if replies:
            try:
                await self.publisher.publish(replies)
            except Unavailable:
                LOG.warning("up to %d answers to producers could not be delivered", len(replies))
        if judged:
            await self.inbox.settle([delivery for delivery, _ in judged], Settlement.ACK)


def _refusal(delivery: Delivery, message: UploadMessage | None, problems: Sequence[Problem]) -> Verdict:
    """Answered, and kept in the dead letters, but for a bundle in clear, which nothing may keep."""
    upload_id = message.upload_id if message else None
    codes = ", ".join(problem.code for problem in problems)
    LOG.warning("a producer's upload %s was refused: %s", upload_id, codes)
    reply = UploadReply(accepted=False, upload_id=upload_id, problems=tuple(problem.view() for problem in problems))
    kept = RefusedMessage(
        user=delivery.user_id,
        correlation_id=delivery.correlation_id,
        problems=reply.problems,
        message=dict(remains(delivery.body)),
    )
    return Verdict(reply, kept.model_dump_json().encode())


def _follower(delivery: Delivery) -> Follower:
    """Raises `RefusedError` where nothing may be told to."""
    if not _wants_reply(delivery):
        raise RefusedError(NOWHERE_TO_FOLLOW)
    return Follower(delivery.reply_to or "", delivery.correlation_id)


def _wants_reply(delivery: Delivery) -> bool:
    return bool(delivery.reply_to) and not str(delivery.reply_to).startswith(OURS)


def _reply(delivery: Delivery, reply: UploadReply) -> Message:
    """An answer that nobody waits for any more is not an error."""
    return Message(
        exchange="",
        routing_key=delivery.reply_to or "",
        body=reply.model_dump_json().encode(),
        correlation_id=delivery.correlation_id,
        mandatory=False,
    )
