"""Receive, batch, have the stage's work done, end the deliveries."""

import asyncio
import logging
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from functools import partial
from typing import Final, Generic, TypeVar

from pydantic import ValidationError

from certpipe.core.errors import Unavailable, place
from certpipe.core.ports.broker import Delivery, Inbox, Settlement
from certpipe.core.ports.runtime import Notebook, Parked, Quarantine, Suspects
from certpipe.core.problems import POISONOUS
from certpipe.runtime.work import Work
from schemas.messages import StageMessage, UploadRef

In = TypeVar("In")
Out = TypeVar("Out")
log: Final = logging.getLogger(__name__)

PREFETCH: Final = 16
SUSPECT_AT: Final = 2
"""Deliveries before, from which whatever a message names is suspected of taking its process down."""


class Worker(Generic[In, Out]):
    """One stage's loop. It knows deliveries; the work knows batches, retries and settling; the stage one upload."""

    def __init__(
        self,
        *,
        work: Work[In, Out],
        inbox: Inbox,
        suspects: Suspects,
        quarantine: Quarantine,
        notebook: Notebook,
        batches: int = 3,
    ) -> None:
        self._work, self._inbox = work, inbox
        self._suspects, self._quarantine, self._notebook = suspects, quarantine, notebook
        self._slots = asyncio.Semaphore(batches)

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping` is set; then finish what was received, settle it, and return."""
        async with asyncio.TaskGroup() as group:
            stop = group.create_task(self._stop_when(stopping))
            while True:
                await self._slots.acquire()
                deliveries = await self._inbox.receive(PREFETCH)
                if not deliveries:
                    break
                group.create_task(self._handle(deliveries, stopping, group))
            stop.cancel()

    async def _stop_when(self, stopping: asyncio.Event) -> None:
        await stopping.wait()
        await self._inbox.stop()

    async def _handle(self, deliveries: Sequence[Delivery], stopping: asyncio.Event, group: asyncio.TaskGroup) -> None:
        try:
            good: list[Delivery] = []
            refs: list[UploadRef] = []
            for delivery in deliveries:
                message = self._read(delivery)
                if message is None:
                    log.error("not a message for this stage; it is buried", extra={"stage": self._work.stage})
                    await self._inbox.settle([delivery], Settlement.DEAD_LETTER)
                elif message.suspect:  # it takes its time, and the others need not wait for it
                    group.create_task(self._end(delivery, self._isolate(message.uploads, stopping)))
                elif delivery.count >= SUSPECT_AT:
                    await self._end(delivery, self._set_apart(message.uploads, stopping))
                else:
                    good.append(delivery)
                    refs.extend(message.uploads)
            if good:
                await self._inbox.settle(good, await self._worked_on(refs, stopping))
        except Exception as defect:  # noqa: BLE001 - one batch's defect must not stop the others
            self._complain(defect)
            await self._inbox.settle(deliveries, Settlement.REQUEUE)
        finally:
            self._slots.release()

    def _read(self, delivery: Delivery) -> StageMessage | None:
        try:
            message = StageMessage.model_validate_json(delivery.body)
        except ValidationError:
            return None
        return message if message.stage == self._work.stage else None

    async def _worked_on(self, refs: Sequence[UploadRef], stopping: asyncio.Event) -> Settlement:
        try:
            with self._notebook.holding(refs):
                await self._work.do(refs, stopping)
        except Unavailable:
            return Settlement.REQUEUE
        return Settlement.ACK

    async def _set_apart(self, refs: Sequence[UploadRef], stopping: asyncio.Event) -> None:
        """A message that came back again and again. What it names goes on alone: one death is shared by many."""
        deaths = 1 if len(refs) > 1 else SUSPECT_AT
        await self._work.settler.insist(lambda: self._suspects.suspect(refs, deaths=deaths), stopping)

    async def _isolate(self, refs: Sequence[UploadRef], stopping: asyncio.Event) -> None:
        """Have each worked on in a process of its own, and park the one that takes it down."""
        for ref in refs:
            attempt = partial(self._quarantine.run, self._work.stage, ref, stopping)
            how = await self._work.settler.insist(attempt, stopping)
            if how is not None:
                log.error("poisonous: parked", extra={"upload_id": str(ref.id), "end": how})
                await self._work.park(Parked(ref, replace(POISONOUS, hint=f"Its process {how}")), stopping)

    async def _end(self, delivery: Delivery, done: Awaitable[None]) -> None:
        """Settle one delivery by how that goes. Never raises: nobody waits for it."""
        try:
            await done
        except Unavailable:
            await self._inbox.settle([delivery], Settlement.REQUEUE)
        except Exception as defect:  # noqa: BLE001 - likewise
            self._complain(defect)
            await self._inbox.settle([delivery], Settlement.REQUEUE)
        else:
            await self._inbox.settle([delivery], Settlement.ACK)

    def _complain(self, defect: Exception) -> None:
        log.error("defect in a worker", extra={"stage": self._work.stage, "defect": place(defect)})
