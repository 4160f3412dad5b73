"""Small fakes of the ports around the runtime: a ledger in a dictionary, an inbox in a list."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from certpipe.core.errors import Unavailable
from certpipe.core.ids import uuid7
from certpipe.core.ports.broker import Death, Delivery, Message, Settlement
from certpipe.core.ports.runtime import Advanced, Loaded, Outcome, Suspect
from certpipe.core.problems import Problem
from schemas.messages import StageMessage, UploadRef
from schemas.status import Stage

AWAY = Problem("away", "fuera", "away")


def ref(epoch: int = 0) -> UploadRef:
    return UploadRef(id=uuid7(), epoch=epoch)


def delivery(
    *refs: UploadRef, count: int = 0, stage: Stage = Stage.VALIDATE, suspect: bool = False, death: Death | None = None
) -> Delivery:
    body = StageMessage(stage=stage, uploads=refs, suspect=suspect).model_dump_json().encode()
    return Delivery(body=body, count=count, token=object(), death=death)


class Clock:
    """Time passes only as somebody waits."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    async def wait(self, seconds: float, *, until: asyncio.Event | None = None) -> bool:
        self.waited.append(seconds)
        await asyncio.wait([asyncio.get_running_loop().create_future()], timeout=0)
        return until is not None and until.is_set()


@dataclass
class Ledger:
    """Everything waits for the stage until it is settled."""

    fails: list[Exception] = field(default_factory=list)
    poison: set[UploadRef] = field(default_factory=set)
    unreadable: set[UploadRef] = field(default_factory=set)
    written: dict[UploadRef, Outcome[str]] = field(default_factory=dict)
    batches: list[int] = field(default_factory=list)

    async def load(self, refs: Sequence[UploadRef], /) -> Sequence[Loaded[UploadRef]]:
        if self.unreadable & set(refs):
            raise ValueError("a row that cannot be read")
        return [Loaded(each, each, 0) for each in refs if each not in self.written]

    async def settle(self, outcomes: Sequence[Outcome[str]], /) -> Sequence[UploadRef]:
        if self.fails:
            raise self.fails.pop(0)
        for outcome in outcomes:
            if outcome.ref in self.poison and isinstance(outcome, Advanced):
                raise ValueError("a row that cannot be written")
        self.batches.append(len(outcomes))
        self.written.update({outcome.ref: outcome for outcome in outcomes})
        return [UploadRef(id=o.ref.id, epoch=o.ref.epoch + 1) for o in outcomes if isinstance(o, Advanced)]


@dataclass
class Inbox:
    """Hands out its deliveries, then waits to be stopped."""

    deliveries: list[Delivery]
    settled: list[tuple[Delivery, Settlement]] = field(default_factory=list)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    expected: int = -1
    all_settled: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self, limit: int) -> Sequence[Delivery]:
        if self.deliveries:
            batch, self.deliveries = self.deliveries[:limit], self.deliveries[limit:]
            return batch
        await self.stopped.wait()
        return []

    async def settle(self, deliveries: Sequence[Delivery], settlement: Settlement) -> None:
        self.settled += [(each, settlement) for each in deliveries]
        if len(self.settled) == self.expected:
            self.all_settled.set()

    def holds(self, delivery: Delivery) -> bool:
        return all(each is not delivery for each, _ in self.settled)

    async def stop(self) -> None:
        self.stopped.set()


@dataclass
class Publisher:
    """Keeps what is published, or is away (for the next `away` times, or while it is not `ready`)."""

    published: list[Message] = field(default_factory=list)
    ready: bool = True
    gate: asyncio.Event | None = None
    defect: Exception | None = None
    away: int = 0

    async def publish(self, messages: Sequence[Message], /) -> None:
        if self.gate:
            await self.gate.wait()
        if self.defect:
            raise self.defect
        if self.away:
            self.away -= 1
            raise Unavailable(AWAY)
        if not self.ready:
            raise Unavailable(AWAY)
        self.published += messages

    def refs(self) -> list[UploadRef]:
        return [each for m in self.published for each in StageMessage.model_validate_json(m.body).uploads]


@dataclass
class Suspects:
    """Deaths by upload; `due` hands out what a test put into `waiting`."""

    deaths: dict[UploadRef, int] = field(default_factory=dict)
    waiting: list[Suspect] = field(default_factory=list)
    told: list[UploadRef] = field(default_factory=list)
    fails: list[Exception] = field(default_factory=list)

    async def suspect(self, refs: Sequence[UploadRef], *, deaths: int) -> None:
        if self.fails:
            raise self.fails.pop(0)
        for each in refs:
            self.deaths[each] = self.deaths.get(each, 0) + deaths

    async def due(self) -> Sequence[Suspect]:
        if self.fails:
            raise self.fails.pop(0)
        waiting, self.waiting = self.waiting, []
        return waiting

    async def dispatched(self, refs: Sequence[UploadRef]) -> None:
        self.told += refs

    async def redrive(self) -> int:
        return 0


@dataclass
class Quarantine:
    """Ends as a test says, for each upload; holds everybody while `gate` is closed."""

    ends: dict[UploadRef, str | Exception | None] = field(default_factory=dict)
    ran: list[UploadRef] = field(default_factory=list)
    gate: asyncio.Event | None = None

    async def run(self, _stage: Stage, ref: UploadRef, _stopping: asyncio.Event) -> str | None:
        self.ran.append(ref)
        if self.gate:
            await self.gate.wait()
        end = self.ends.get(ref)
        if isinstance(end, Exception):
            raise end
        return end
