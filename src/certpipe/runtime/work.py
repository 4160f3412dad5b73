"""A stage's work on some uploads: load them, run the stage on each, settle all. It knows no queue."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final, Generic, TypeVar

from certpipe.core.clock import Clock
from certpipe.core.errors import Unavailable, place
from certpipe.core.ports.runtime import Dispatcher, Ledger, Outcome, Parked, StageStep
from certpipe.core.problems import INTERNAL
from certpipe.runtime.outcomes import RetryPolicy, Tries, outcome_of
from certpipe.runtime.settle import Settler
from schemas.messages import MOST_UPLOADS, UploadRef
from schemas.status import Stage

In = TypeVar("In")
Out = TypeVar("Out")
log: Final = logging.getLogger(__name__)


class Work(Generic[In, Out]):
    """What is done with the uploads of a batch, however they came.

    `linger`: seconds after which those that are done are settled, and wait no longer for the others.
    """

    def __init__(
        self,
        *,
        stage: Stage,
        step: StageStep[In, Out],
        ledger: Ledger[In, Out],
        dispatcher: Dispatcher,
        following: Stage | None,
        clock: Clock,
        policy: RetryPolicy | None = None,
        linger: float | None = None,
    ) -> None:
        self.stage = stage
        self._linger = linger
        self._step, self._ledger = step, ledger
        self._policy = policy or RetryPolicy()
        self.settler = Settler(
            ledger=ledger, dispatcher=dispatcher, following=following, policy=self._policy, clock=clock
        )

    async def do(self, refs: Sequence[UploadRef], stopping: asyncio.Event) -> None:
        """Run the stage for those that still wait for it. Raises `Unavailable` when the database stays away."""
        unique = list(dict.fromkeys(refs))
        late: list[asyncio.Task[None]] = []
        try:
            for i in range(0, len(unique), MOST_UPLOADS):
                late += await self._do_chunk(unique[i : i + MOST_UPLOADS], stopping)
        finally:
            ends = await asyncio.gather(*late, return_exceptions=True)
        for end in ends:
            if end is not None:
                raise end

    async def park(self, parked: Parked, stopping: asyncio.Event) -> None:
        """End one without running it. Raises `Unavailable` likewise."""
        await self._settle([parked], {parked.ref: Tries()}, stopping)

    async def _do_chunk(self, refs: Sequence[UploadRef], stopping: asyncio.Event) -> Sequence[asyncio.Task[None]]:
        """Settles those that are done soon; what is left to wait for, where others take long."""
        try:
            loaded = await self.settler.insist(lambda: self._ledger.load(refs), stopping)
        except Unavailable:
            raise
        except Exception as defect:  # noqa: BLE001 - a row that cannot be read must not hold up its neighbours
            return await self._isolate(refs, defect, stopping)
        tries = {item.ref: Tries(item.attempt + 1, item.defects + 1) for item in loaded}
        running = {asyncio.create_task(self._attempt(item.upload)): item.ref for item in loaded}
        if not running:
            return ()
        done, late = await asyncio.wait(running, timeout=self._linger)
        finish = partial(self._finish, running=running, tries=tries, stopping=stopping)
        await finish(done)
        return [asyncio.create_task(self._finish_late(late, finish))] if late else ()

    async def _attempt(self, upload: In) -> Out:
        return await self._step(upload)

    async def _finish(
        self,
        done: Iterable[asyncio.Task[Out]],
        *,
        running: Mapping[asyncio.Task[Out], UploadRef],
        tries: dict[UploadRef, Tries],
        stopping: asyncio.Event,
    ) -> None:
        """Settle what has ended, in the order in which it was loaded."""
        ended = set(done)
        outcomes = [
            outcome_of(ref, tries[ref], step.exception() or step.result(), self._policy)
            for step, ref in running.items()
            if step in ended
        ]
        if outcomes:
            await self._settle(outcomes, tries, stopping)

    async def _finish_late(
        self, late: Iterable[asyncio.Task[Out]], finish: Callable[[Iterable[asyncio.Task[Out]]], Awaitable[None]]
    ) -> None:
        """Those that take long, as they come, some together."""
        waiting = set(late)
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if waiting:
                more, waiting = await asyncio.wait(waiting, timeout=self._linger)
                done |= more
            await finish(done)

    async def _settle(
        self, outcomes: Sequence[Outcome[Out]], tries: dict[UploadRef, Tries], stopping: asyncio.Event
    ) -> None:
        await self.settler.settle(outcomes, tries, stopping)
        self._tell(outcomes)

    async def _isolate(
        self, refs: Sequence[UploadRef], defect: Exception, stopping: asyncio.Event
    ) -> Sequence[asyncio.Task[None]]:
        """Halve until the one that cannot be loaded is alone, and park it."""
        if len(refs) > 1:
            half = len(refs) // 2
            return [
                *await self._do_chunk(refs[:half], stopping),
                *await self._do_chunk(refs[half:], stopping),
            ]
        log.error("cannot be loaded", extra={"upload_id": str(refs[0].id), "defect": place(defect)})
        await self.park(Parked(refs[0], INTERNAL), stopping)
        return ()

    def _tell(self, outcomes: Sequence[Outcome[Out]]) -> None:
        """One line per batch, and one per upload for whoever looks closely. Never a payload."""
        counts = Counter(type(outcome).__name__.lower() for outcome in outcomes)
        log.info("settled", extra={"stage": self.stage, "ends": dict(counts)})
        if log.isEnabledFor(logging.DEBUG):
            for outcome in outcomes:
                end = type(outcome).__name__.lower()
                log.debug("upload", extra={"stage": self.stage, "upload_id": str(outcome.ref.id), "end": end})
