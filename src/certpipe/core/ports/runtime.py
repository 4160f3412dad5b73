"""A stage, what may become of an upload in it, and where that is written down."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar
from uuid import UUID

from certpipe.core.problems import Problem
from schemas.messages import UploadRef
from schemas.status import CertificateFacts, Stage

In_contra = TypeVar("In_contra", contravariant=True)
Out_co = TypeVar("Out_co", covariant=True)
In = TypeVar("In")
Out = TypeVar("Out")


class StageStep(Protocol[In_contra, Out_co]):
    """One step for one upload. It knows no queue, table, batch or retry.

    Raises `Rejected` (final), `Unavailable` (did not happen) or `Uncertain` (may have happened).
    """

    async def __call__(self, upload: In_contra, /) -> Out_co: ...


@dataclass(frozen=True, slots=True)
class Advanced(Generic[Out]):
    """The stage's work is done; `out` is what to write down."""

    ref: UploadRef
    out: Out


@dataclass(frozen=True, slots=True)
class Refused:
    """The end `rejected`. `facts`: what could be read of the certificate all the same. `destination`: who refused."""

    ref: UploadRef
    problems: tuple[Problem, ...]
    facts: CertificateFacts | None = None
    warnings: tuple[Problem, ...] = ()
    destination: str | None = None


@dataclass(frozen=True, slots=True)
class Postponed:
    """Try again in `delay` seconds (the database adds them to its own clock). `destination`: who did not take it."""

    ref: UploadRef
    problem: Problem
    delay: float
    destination: str | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """Not its turn: look again in `delay` seconds. No attempt, no event, and the epoch stays."""

    ref: UploadRef
    delay: float


@dataclass(frozen=True, slots=True)
class Parked:
    """The end `failed`: every retry is used up, or none could help, and the operator acts."""

    ref: UploadRef
    problem: Problem
    destination: str | None = None


Settled = Advanced[Out] | Refused | Postponed | Parked
"""What changes an upload, with an event."""
Outcome = Settled[Out] | Held


@dataclass(frozen=True, slots=True)
class Loaded(Generic[Out]):
    """One upload that still waits for the stage, with the number of tries that the stage has had before.

    `defects`: how many of those ended by a defect of ours.
    """

    upload: Out
    ref: UploadRef
    attempt: int
    defects: int = 0


class Ledger(Protocol[In, Out]):
    """What one stage reads and writes, batchwise. The database is the truth."""

    async def load(self, refs: Sequence[UploadRef], /) -> Sequence[Loaded[In]]:
        """Those of `refs` that still wait for this stage at that epoch, in one query; the others moved on.

        The ledger of forward also records the intent to send, durably, and tells of each upload which intents were
        open before. It leaves out those that wait for a service that is left alone.
        """

    async def settle(self, outcomes: Sequence[Outcome[Out]], /) -> Sequence[UploadRef]:
        """Apply all of them with their events in one guarded, durable transaction.

        Returns the uploads that now wait for the next stage, at their new epoch, to be published. An outcome whose row
        moved on changes nothing. Raises `Unavailable` when nothing was written or when that is not known: settling
        the same outcomes again is safe.
        """


class Backlog(Protocol):
    """What waits for dispatch: the transactional outbox that the upload rows are."""

    async def due(self, limit: int) -> Mapping[Stage, Sequence[UploadRef]]:
        """At most `limit` uploads that are due now, leased: nobody else gets them for ten seconds.

        Where more are due, each organization gets its share, however many another has; within one the oldest come
        first. What waits for a stage whose queue is long already stays where it is.
        """

    async def dispatched(self, refs: Sequence[UploadRef]) -> None:
        """Note, lazily, that these were published at that epoch: not due until the reconciler's time."""

    async def redrive(self) -> int:
        """Make every active upload due now (a broker that lost everything); returns how many."""

    async def depth(self) -> int:
        """How many uploads have not ended; may be a second old."""

    async def depth_of(self, organization_id: UUID) -> int:
        """How many of them are this organization's; may be a second old."""

    async def release(self) -> None:
        """Let uploads go that wait for a service: a probe of one that was left alone, all of one that is used again.

        A closed service gets them no faster than it is used. What waits for one that no living process uses any more,
        while one uses others, is let go, too.
        """

    async def sweep(self) -> None:
        """Delete what has had its time: idempotency keys, finished checks, followers of what ended long ago."""


@dataclass(frozen=True, slots=True)
class Suspect:
    """An upload that was in hand when a process died, or several in a row: `deaths`."""

    stage: Stage
    ref: UploadRef
    deaths: int


class Suspects(Protocol):
    """Uploads that a process may have died of, until they are settled. They go apart from the backlog."""

    async def suspect(self, refs: Sequence[UploadRef], *, deaths: int) -> None:
        """Add so many deaths to each of those that still wait at that epoch; the others moved on."""

    async def due(self) -> Sequence[Suspect]:
        """Those that are to be published now, each in a message of its own; leased for ten seconds."""

    async def dispatched(self, refs: Sequence[UploadRef]) -> None:
        """These were published: not due until the reconciler's time."""

    async def redrive(self) -> int:
        """Make all of them due now; returns how many."""


class Quarantine(Protocol):
    """Where a suspect is worked on without anybody beside it."""

    async def run(self, stage: Stage, ref: UploadRef, stopping: asyncio.Event) -> str | None:
        """Do the stage's work on this upload alone, and settle it, in a process of its own; one at a time.

        None: it is done. Else, how that process died of it. Raises `Unavailable` when it could not be tried, or when it
        is time to stop: it is not known then how far it came.
        """


class Notebook(Protocol):
    """Keeps, past the death of this process, what it has in hand. For a broker that forgets with the process."""

    def holding(self, refs: Sequence[UploadRef]) -> AbstractContextManager[None]:
        """Noted for as long as the context lasts."""

    def left(self) -> Sequence[UploadRef]:
        """What the process before had in hand when it died."""

    def clear(self) -> None:
        """Forget what was left: it is written down elsewhere."""


class Dispatcher(Protocol):
    """Publishes what waits for a stage. Losing it loses nothing: the backlog still holds what was not published."""

    def dispatch(self, stage: Stage, refs: Sequence[UploadRef]) -> Awaitable[None]:
        """Publish soon, together with what else is there; never raises, never blocks.

        Awaiting the answer, which nobody needs to do, waits until it was published or left to the sweeper.
        """


Run = Callable[[Callable[[], Out]], Awaitable[Out]]
"""Runs CPU-bound work off the event loop."""
