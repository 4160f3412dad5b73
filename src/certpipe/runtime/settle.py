"""Where a batch is written down and handed on, so that its deliveries may be acknowledged. Always in that order."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Generic, TypeVar

from certpipe.core.clock import Clock
from certpipe.core.errors import Unavailable
from certpipe.core.ports.runtime import Dispatcher, Ledger, Outcome
from certpipe.core.retry import Backoff
from certpipe.runtime.outcomes import RetryPolicy, Tries, outcome_of
from schemas.messages import UploadRef
from schemas.status import Stage

In = TypeVar("In")
Out = TypeVar("Out")
T = TypeVar("T")
log: Final = logging.getLogger(__name__)
PATIENCE: Final = Backoff(first=0.1, most=5.0, attempts=120)
"""How long a batch is held while database or broker is away: about ten minutes, a third of the broker's own limit."""


class Settler(Generic[In, Out]):
    """Writes outcomes to the ledger and dispatches what now waits for the `following` stage."""

    def __init__(
        self,
        *,
        ledger: Ledger[In, Out],
        dispatcher: Dispatcher,
        following: Stage | None,
        policy: RetryPolicy,
        clock: Clock,
    ) -> None:
        self._ledger, self._dispatcher, self._following = ledger, dispatcher, following
        self._policy, self._clock = policy, clock

    async def settle(
        self, outcomes: Sequence[Outcome[Out]], tries: Mapping[UploadRef, Tries], stopping: asyncio.Event
    ) -> None:
        """Write all down and publish the next hop. Raises `Unavailable` when the database stays away."""
        waiting = await self._write(outcomes, tries, stopping)
        if waiting and self._following:
            await self._dispatcher.dispatch(self._following, waiting)

    async def _write(
        self, outcomes: Sequence[Outcome[Out]], tries: Mapping[UploadRef, Tries], stopping: asyncio.Event
    ) -> Sequence[UploadRef]:
        try:
            return await self.insist(lambda: self._ledger.settle(outcomes), stopping)
        except Unavailable:
            raise
        except Exception as defect:  # noqa: BLE001 - whatever the row is wrong with, it is told of that row alone
            if len(outcomes) > 1:  # one bad row never fails its neighbours
                half = len(outcomes) // 2
                first = await self._write(outcomes[:half], tries, stopping)
                return [*first, *await self._write(outcomes[half:], tries, stopping)]
            ref = outcomes[0].ref
            fallback: Outcome[Out] = outcome_of(ref, tries[ref], defect, self._policy)
            return await self.insist(lambda: self._ledger.settle([fallback]), stopping)

    async def insist(self, attempt: Callable[[], Awaitable[T]], stopping: asyncio.Event) -> T:
        """Try until it happens; give up with `Unavailable` after `PATIENCE`, or when it is time to stop."""
        failures = 0
        while True:
            try:
                return await attempt()
            except Unavailable as away:
                failures += 1
                delay = PATIENCE.delay(failures)
                if delay is None or stopping.is_set():
                    raise
                log.warning("holding the batch", extra={"tries": failures, "codes": str(away)})
                await self._clock.wait(delay, until=stopping)
