"""Receive, batch, run the stage, settle."""

import asyncio
import logging
from collections import Counter
from collections.abc import Sequence
from typing import Final, Generic, TypeVar

from pydantic import ValidationError

from certpipe.core.clock import Clock
from certpipe.core.errors import Unavailable, place
from certpipe.core.ports.broker import Delivery, Inbox, Publisher, Settlement
from certpipe.core.ports.runtime import Dispatcher, Ledger, Outcome, Parked, StageStep
from certpipe.core.problems import INTERNAL
from certpipe.runtime.dispatch import messages
from certpipe.runtime.outcomes import RetryPolicy, Tries, outcome_of
from certpipe.runtime.settle import Settler
from schemas.messages import MOST_UPLOADS, StageMessage, UploadRef
from schemas.status import Stage

In = TypeVar("In")
Out = TypeVar("Out")
log: Final = logging.getLogger(__name__)

PREFETCH: Final = 16
SPLIT_AT: Final = 2
"""Deliveries before, from which a message is split, so that a poison upload no longer takes its neighbours along."""
PARK_AT: Final = 10
"""Deliveries before, from which an upload that is alone in its message is parked: it takes its process down.

Only where it is the first such one of this process. What came back is run one after another, in order, so that whoever
took the last process down comes first, and those behind it were only there when it happened.
"""


class Worker(Generic[In, Out]):
    """One stage's loop. It knows batches, retries and settling; the stage knows one upload."""

    def __init__(
        self,
        *,
        stage: Stage,
        step: StageStep[In, Out],
        ledger: Ledger[In, Out],
        inbox: Inbox,
        publisher: Publisher,
        dispatcher: Dispatcher,
        exchange: str,
        following: Stage | None,
        clock: Clock,
        policy: RetryPolicy | None = None,
        batches: int = 3,
    ) -> None:
        self._stage, self._step, self._ledger, self._inbox = stage, step, ledger, inbox
        self._publisher, self._exchange = publisher, exchange
        self._policy = policy or RetryPolicy()
        self._settler = Settler(
            ledger=ledger, dispatcher=dispatcher, following=following, policy=self._policy, clock=clock
        )
        self._slots = asyncio.Semaphore(batches)
        self._alone = asyncio.Lock()
        self._outlived_one = False

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set; then finish what was received, settle it, and return."""
        async with asyncio.TaskGroup() as group:
            stop = group.create_task(self._stop_when(stopping))
            while True:
                await self._slots.acquire()
                deliveries = await self._inbox.receive(PREFETCH)
                if not deliveries:
                    break
                group.create_task(self._handle(deliveries, stopping))
            stop.cancel()

    async def _stop_when(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        await self._inbox.stop()

    async def _handle(self, deliveries: Sequence[Delivery], stopping: asyncio.Event) -> None:
        try:
            good: list[Delivery] = []
            suspects: list[tuple[Delivery, StageMessage]] = []
            refs: list[UploadRef] = []
            for delivery in deliveries:
                message = self._read(delivery)
                if message is None:
                    log.error("not a message for this stage; kept in the dead letters", extra={"stage": self._stage})
                    await self._inbox.settle([delivery], Settlement.DEAD_LETTER)
                elif delivery.count >= SPLIT_AT:
                    suspects.append((delivery, message))
                else:
                    good.append(delivery)
                    refs.extend(message.uploads)
            if suspects:
                async with self._alone:
                    for delivery, message in suspects:
                        await self._handle_suspect(delivery, message, stopping)
            await self._settle(good, await self._work(refs, stopping))
        except Exception as defect:  # noqa: BLE001 - one batch's defect must not stop the others
            log.error("defect in a worker", extra={"stage": self._stage, "defect": place(defect)})
            await self._settle(deliveries, Settlement.REQUEUE)
        finally:
            self._slots.release()

    def _read(self, delivery: Delivery) -> StageMessage | None:
        try:
            message = StageMessage.model_validate_json(delivery.body)
        except ValidationError:
            return None
        return message if message.stage == self._stage else None

    async def _handle_suspect(self, delivery: Delivery, message: StageMessage, stopping: asyncio.Event) -> None:
        """A message that came back again and again: split it, then run its uploads alone, then park the culprit."""
        if len(message.uploads) > 1:
            singles = messages(self._exchange, self._stage, message.uploads, most=1)
            try:
                # Given back at once, it would come at once, and count as one that came back again.
                await self._settler.insist(lambda: self._publisher.publish(singles), stopping)
            except Unavailable:
                await self._inbox.settle([delivery], Settlement.REQUEUE)
                return
            await self._inbox.settle([delivery], Settlement.ACK)
            return
        park = delivery.count >= PARK_AT and not self._outlived_one
        await self._settle([delivery], await self._work(message.uploads, stopping, park=park))
        self._outlived_one = True

    async def _settle(self, deliveries: Sequence[Delivery], settlement: Settlement) -> None:
        if deliveries:
            await self._inbox.settle(deliveries, settlement)

    async def _work(self, refs: Sequence[UploadRef], stopping: asyncio.Event, *, park: bool = False) -> Settlement:
        """Run the stage for those that still wait for it; the end of their deliveries."""
        unique = list(dict.fromkeys(refs))
        try:
            for i in range(0, len(unique), MOST_UPLOADS):
                await self._work_chunk(unique[i : i + MOST_UPLOADS], stopping, park=park)
        except Unavailable:
            return Settlement.REQUEUE
        return Settlement.ACK

    async def _work_chunk(self, refs: Sequence[UploadRef], stopping: asyncio.Event, *, park: bool) -> None:
        try:
            loaded = await self._settler.insist(lambda: self._ledger.load(refs), stopping)
        except Unavailable:
            raise
        except Exception as defect:  # noqa: BLE001 - a row that cannot be read must not hold up its neighbours
            await self._isolate(refs, defect, stopping)
            return
        tries = {item.ref: Tries(item.attempt + 1, item.defects + 1) for item in loaded}
        outcomes: list[Outcome[Out]]
        if park:
            outcomes = [Parked(item.ref, INTERNAL) for item in loaded]
        else:
            results = await asyncio.gather(*(self._step(item.upload) for item in loaded), return_exceptions=True)
            outcomes = [
                outcome_of(item.ref, tries[item.ref], result, self._policy)
                for item, result in zip(loaded, results, strict=True)
            ]
        if outcomes:
            await self._settler.settle(outcomes, tries, stopping)
            self._tell(outcomes)

    async def _isolate(self, refs: Sequence[UploadRef], defect: Exception, stopping: asyncio.Event) -> None:
        """Halve until the one that cannot be loaded is alone, and park it."""
        if len(refs) > 1:
            half = len(refs) // 2
            await self._work_chunk(refs[:half], stopping, park=False)
            await self._work_chunk(refs[half:], stopping, park=False)
            return
        log.error("cannot be loaded", extra={"upload_id": str(refs[0].id), "defect": place(defect)})
        await self._settler.settle([Parked(refs[0], INTERNAL)], {refs[0]: Tries()}, stopping)

    def _tell(self, outcomes: Sequence[Outcome[Out]]) -> None:
        """One line per batch, and one per upload for whoever looks closely. Never a payload."""
        counts = Counter(type(outcome).__name__.lower() for outcome in outcomes)
        log.info("settled", extra={"stage": self._stage, "ends": dict(counts)})
        if log.isEnabledFor(logging.DEBUG):
            for outcome in outcomes:
                end = type(outcome).__name__.lower()
                log.debug("upload", extra={"stage": self._stage, "upload_id": str(outcome.ref.id), "end": end})
