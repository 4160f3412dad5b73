"""Empties the queue of dead letters into the database, where nothing is dropped and an operator finds it."""

import asyncio
import hashlib
import json
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from pydantic import ValidationError

from certpipe.core.clock import Clock
from certpipe.core.errors import Unavailable, place
from certpipe.core.ports.broker import Delivery, Inbox, Settlement
from certpipe.core.ports.dead import DeadMessage, Graveyard
from certpipe.core.ports.runtime import Suspects
from certpipe.core.remains import remains
from certpipe.core.retry import Backoff
from certpipe.runtime.worker import SUSPECT_AT
from schemas.dead import DeathReason
from schemas.messages import RefusedMessage, StageMessage, UploadRef
from schemas.status import Stage

log: Final = logging.getLogger(__name__)
MOST_AT_ONCE: Final = 64
DELIVERY_LIMIT: Final = "delivery_limit"


class Parker:
    """One transaction keeps what died, then it is acknowledged.

    A message between stages names uploads that still wait, and is not kept: they go on as suspects, for a process that
    died again and again with them in hand is why it came here.
    """

    def __init__(
        self,
        *,
        inbox: Inbox,
        graveyard: Graveyard,
        suspects: Suspects,
        clock: Clock,
        patience: Backoff | None = None,
    ) -> None:
        self._inbox, self._graveyard, self._suspects, self._clock = inbox, graveyard, suspects, clock
        # Holding is better than giving back: the broker counts each return.
        self._patience = patience or Backoff(first=0.5, most=15.0, attempts=40)

    async def run(self, stopping: asyncio.Event) -> None:
        """Park until `stopping` is set."""
        async with asyncio.TaskGroup() as group:
            stop = group.create_task(self._stop_when(stopping))
            while deliveries := await self._inbox.receive(MOST_AT_ONCE):
                done = await self._parked(deliveries, stopping)
                await self._inbox.settle(deliveries, Settlement.ACK if done else Settlement.REQUEUE)
            stop.cancel()

    async def _stop_when(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        await self._inbox.stop()

    async def _parked(self, deliveries: Sequence[Delivery], stopping: asyncio.Event) -> bool:
        """One that cannot be kept as it is holds nobody up: of that one is kept that it was there."""
        try:
            return await self._insist(lambda: self._park(deliveries), stopping)
        except Exception as defect:  # noqa: BLE001 - anybody who may publish here could stop the sweeper otherwise
            log.error("defect in parking", extra={"defect": place(defect)})
        if len(deliveries) > 1:
            return all([await self._parked([each], stopping) for each in deliveries])
        note = DeadMessage(DeathReason.MALFORMED, secrets.token_bytes(32), kept={"bytes": len(deliveries[0].body)})
        return await self._insist(lambda: self._graveyard.bury([note]), stopping)

    async def _insist(self, attempt: Callable[[], Awaitable[None]], stopping: asyncio.Event) -> bool:
        tries = 0
        while True:
            try:
                await attempt()
            except Unavailable as away:
                tries += 1
                delay = self._patience.delay(tries)
                log.warning("holding dead letters", extra={"tries": tries, "codes": str(away)})
                if delay is None or await self._clock.wait(delay, until=stopping):
                    return False
            else:
                return True

    async def _park(self, deliveries: Sequence[Delivery]) -> None:
        messages: list[DeadMessage] = []
        refs: list[UploadRef] = []
        for delivery in deliveries:
            named = _named(delivery)
            if named is None:
                messages.append(_buried(delivery))
            else:
                refs += named.uploads
        if refs:
            log.error("came back too often; going on alone", extra={"uploads": len(refs)})
            await self._suspects.suspect(refs, deaths=SUSPECT_AT)
        if messages:
            log.warning("dead letters are kept: see `certpipe dead list`", extra={"uploads": len(messages)})
            await self._graveyard.bury(messages)


def _named(delivery: Delivery) -> StageMessage | None:
    """A message between stages that came back too often. One that a worker rejected named nothing of its stage."""
    death = delivery.death
    if death is None or death.reason != DELIVERY_LIMIT:
        return None
    try:
        message = StageMessage.model_validate_json(delivery.body)
    except ValidationError:
        return None
    return message if message.stage is _stage_of(death.queue) else None


def _buried(delivery: Delivery) -> DeadMessage:
    if delivery.death is not None:  # from a queue that others may write to
        return _unread(delivery)
    try:
        refused = RefusedMessage.model_validate_json(delivery.body)
    except ValidationError:
        return _unread(delivery)
    return DeadMessage(
        DeathReason.REFUSED,
        _identity(delivery, refused.message),
        problems=refused.problems,
        kept={"user": refused.user, "correlation_id": refused.correlation_id, **refused.message},
    )


def _unread(delivery: Delivery) -> DeadMessage:
    kept, death = remains(delivery.body), delivery.death
    worn = death is not None and death.reason == DELIVERY_LIMIT
    where = {
        "queue": death and death.queue,
        "user": delivery.user_id,
        "correlation_id": delivery.correlation_id,
        "content_type": delivery.content_type,
    }
    return DeadMessage(
        DeathReason.DELIVERY_LIMIT if worn else DeathReason.MALFORMED,
        _identity(delivery, kept),
        stage=_stage_of(death.queue) if death else None,
        kept={**{name: value for name, value in where.items() if value is not None}, **kept},
    )


def _stage_of(queue: str) -> Stage | None:
    """By the name of the queue, which says it."""
    return next((stage for stage in Stage if f".{stage.value}." in queue), None)


def _identity(delivery: Delivery, kept: object) -> bytes:
    """Of what is kept, and not of the body: a plain hash of a password would let it be guessed."""
    told = json.dumps([delivery.message_id, kept], sort_keys=True, default=str)
    return hashlib.sha256(told.encode(errors="replace")).digest()
