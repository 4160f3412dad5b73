"""certpipe's own worker, work, settler, dispatcher, sweeper and isolator, between ports that the model drives."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from uuid import UUID

from certpipe.core.errors import Rejected, Unavailable, Uncertain
from certpipe.core.ports.runtime import Dispatcher, Loaded, Outcome, StageStep, Suspect
from certpipe.core.problems import Problem
from certpipe.core.retry import Backoff
from certpipe.core.states import WAITS_FOR
from certpipe.pipeline import PIPELINE
from certpipe.runtime.alone import LeftToTheSweeper
from certpipe.runtime.dispatch import CoalescingDispatcher
from certpipe.runtime.isolator import Isolator
from certpipe.runtime.outcomes import RetryPolicy
from certpipe.runtime.sweeper import Sweeper
from certpipe.runtime.work import Work
from certpipe.runtime.worker import Worker
from schemas.messages import UploadRef
from schemas.status import Stage
from tests.model.broker import Broker, ModelInbox
from tests.model.stage import AWAY, Fate, Process, Theatre
from tests.model.tables import Row, Tables

NO: Final = Problem("no", "no", "no")
SHORT: Final = Backoff(first=1.0, most=4.0, attempts=10_000, jitter=0)
POLICY: Final = RetryPolicy(away=SHORT, defect=SHORT)
EXCHANGE: Final = "work"


@dataclass(frozen=True)
class Given:
    """What a stage is given of an upload."""

    row: Row
    open_intent: bool


@dataclass
class Pac:
    """What the destination has got, in order. It can be asked."""

    got: list[Row] = field(default_factory=list)


@dataclass
class ModelLedger:
    """The port `Ledger` of one stage."""

    tables: Tables
    theatre: Theatre
    owner: Process
    stage: Stage
    dispatcher: Dispatcher

    async def load(self, refs: Sequence[UploadRef], /) -> Sequence[Loaded[Given]]:
        fate = await self.theatre.call(self.owner, f"load {self.stage}")
        loaded = self.tables.load(self.stage, refs)
        if fate is Fate.ANSWER_LOST:
            raise Unavailable(AWAY)
        return [Loaded(Given(row, was_open), row.ref, row.attempt) for row, was_open in loaded]

    async def settle(self, outcomes: Sequence[Outcome[object]], /) -> Sequence[UploadRef]:
        fate = await self.theatre.call(self.owner, f"settle {self.stage}")
        moved = self.tables.settle(self.stage, outcomes)
        if fate is Fate.ANSWER_LOST:
            raise Unavailable(AWAY)
        return moved


@dataclass
class ModelBacklog:
    """The port `Backlog` of one process. Notes are lazy, and die with it."""

    tables: Tables
    theatre: Theatre
    owner: Process

    async def due(self, limit: int) -> Mapping[Stage, Sequence[UploadRef]]:
        fate = await self.theatre.call(self.owner, "due")
        due = self.tables.due(limit)
        if fate is Fate.ANSWER_LOST:
            raise Unavailable(AWAY)
        return due

    async def dispatched(self, refs: Sequence[UploadRef]) -> None:
        async def note() -> None:
            try:
                await self.theatre.call(self.owner, "note")
            except Unavailable:
                return
            self.tables.note(refs)

        self.theatre.join(self.owner, note())

    async def redrive(self) -> int:
        raise NotImplementedError

    async def depth(self) -> int:
        raise NotImplementedError

    async def depth_of(self, organization_id: UUID) -> int:
        raise NotImplementedError

    async def release(self) -> None:
        """No service is left alone here."""

    async def sweep(self) -> None:
        """Nothing grows old here."""


@dataclass
class ModelSuspects:
    """The port `Suspects`."""

    tables: Tables
    theatre: Theatre
    owner: Process

    async def suspect(self, refs: Sequence[UploadRef], *, deaths: int) -> None:
        await self.theatre.call(self.owner, "suspect")
        self.tables.suspect(refs, deaths)

    async def due(self) -> Sequence[Suspect]:
        await self.theatre.call(self.owner, "suspects due")
        return self.tables.suspects_due()

    async def dispatched(self, refs: Sequence[UploadRef]) -> None:
        await self.theatre.call(self.owner, "suspects noted")
        self.tables.suspects_noted(refs)

    async def redrive(self) -> int:
        raise NotImplementedError


class NoNotes:
    """The port `Notebook`, for a broker that counts by itself."""

    def holding(self, refs: Sequence[UploadRef]) -> AbstractContextManager[None]:  # noqa: ARG002 - the port's
        return nullcontext()

    def left(self) -> Sequence[UploadRef]:
        return ()

    def clear(self) -> None:
        """Nothing is there."""


@dataclass
class ModelQuarantine:
    """The port `Quarantine`: the same work, on one upload, that publishes nothing after it."""

    work: Callable[[Stage], Work[Given, object]]
    theatre: Theatre
    owner: Process

    async def run(self, stage: Stage, ref: UploadRef, stopping: asyncio.Event) -> str | None:
        await self.theatre.call(self.owner, "quarantine")
        await self.work(stage).do([ref], stopping)
        return None


@dataclass
class System:
    """Everything: one process for each stage, and the sweeper's. `refused`: uploads that validate says no to."""

    theatre: Theatre = field(default_factory=Theatre)
    table: type[Tables] = Tables
    worker: type[Worker[Given, object]] = Worker
    ledger: type[ModelLedger] = ModelLedger
    refused: set[UUID] = field(default_factory=set)
    processes: dict[str, Process] = field(default_factory=dict)
    inboxes: dict[str, ModelInbox] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.tables, self.broker, self.pac = self.table(self.theatre), Broker(self.theatre), Pac()
        for name in (*(stage.value for stage in WAITS_FOR.values()), "sweeper"):
            self.start(name)

    def start(self, name: str) -> None:
        """Start a process, in the place of the one before."""
        owner = Process(name)
        self.processes[name] = owner
        backlog, publisher = ModelBacklog(self.tables, self.theatre, owner), self.broker.publisher(owner)
        suspects = ModelSuspects(self.tables, self.theatre, owner)
        dispatcher = CoalescingDispatcher(publisher=publisher, backlog=backlog, exchange=EXCHANGE)
        never = self.theatre.event()
        if name == "sweeper":
            sweeper = Sweeper(backlog=backlog, dispatcher=dispatcher, publisher=publisher, clock=self.theatre)
            isolator = Isolator(suspects=suspects, publisher=publisher, exchange=EXCHANGE, clock=self.theatre)
            self.theatre.start(owner, dispatcher.run(never), sweeper.run(never), isolator.run(never))
            return
        stage = Stage(name)

        def work(stage: Stage, *, alone: bool = False) -> Work[Given, object]:
            hands_on = LeftToTheSweeper() if alone else dispatcher
            return Work(
                stage=stage,
                step=self._step(owner, stage),
                ledger=self.ledger(self.tables, self.theatre, owner, stage, hands_on),
                dispatcher=hands_on,
                following=PIPELINE.following(stage),
                clock=self.theatre,
                policy=POLICY,
            )

        inbox = self.broker.inbox(owner, stage)
        self.inboxes[name] = inbox
        worker = self.worker(
            work=work(stage),
            inbox=inbox,
            suspects=suspects,
            quarantine=ModelQuarantine(partial(work, alone=True), self.theatre, owner),
            notebook=NoNotes(),
        )
        self.theatre.start(owner, dispatcher.run(never), worker.run(never))

    def kill(self, name: str) -> None:
        """Kill a process; the broker gives back what it had in hand, and another begins."""
        self.theatre.kill(self.processes[name])
        if name in self.inboxes:
            self.inboxes[name].gone()
        self.start(name)

    def end(self) -> None:
        """Everything stops, for good."""
        for process in self.processes.values():
            self.theatre.kill(process)
        self.theatre.loop.close()

    def _step(self, owner: Process, stage: Stage) -> StageStep[Given, object]:
        async def step(given: Given) -> object:
            if stage is Stage.FORWARD:
                return await self._forward(owner, given)
            if await self.theatre.call(owner, f"work {stage}") is Fate.ANSWER_LOST:
                raise ValueError("a defect")
            if stage is Stage.VALIDATE and given.row.id in self.refused:
                raise Rejected(NO)
            return "done"

        return step

    async def _forward(self, owner: Process, given: Given) -> object:
        """Look where an intent was open; send where it has not arrived."""
        if given.open_intent:
            await self.theatre.call(owner, "look up")
            if given.row in self.pac.got:
                return "done"
        fate = await self.theatre.call(owner, "send")
        self.pac.got.append(given.row)
        if fate is Fate.ANSWER_LOST:
            raise Uncertain(AWAY)
        return "done"
