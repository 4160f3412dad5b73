"""The database in memory: what the statements of `store/queries/` do to the rows, guard by guard, one after another.

Each statement is atomic here. That concurrent ones are as good as that (row locks in one order, parties locked first)
is not shown by the model but by the integration tests over PostgreSQL.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from certpipe.core.patience import MOST_ATTEMPT
from certpipe.core.ports.runtime import Advanced, Held, Outcome, Parked, Postponed, Refused, Suspect
from certpipe.core.states import ACTIVE, ENDS, TRANSITIONS, WAITS_FOR
from certpipe.store.rows import NEXT, STATE_OF
from schemas.messages import UploadRef
from schemas.status import Stage, State
from tests.model.stage import Theatre

GRACE, LEASE, NOTED, ATTEMPT = 3.0, 10.0, 900.0, MOST_ATTEMPT


@dataclass
class Row:
    """An upload. `place`: its order of acceptance; `intended`: when its intent to send was recorded last."""

    id: UUID
    party: int
    place: int
    due: float | None
    state: State = State.RECEIVED
    epoch: int = 0
    attempt: int = 0
    dispatched: bool = False
    updated: float = 0.0
    intended: float | None = None
    received: bool = False

    @property
    def ref(self) -> UploadRef:
        return UploadRef(id=self.id, epoch=self.epoch)


@dataclass
class Tables:
    """All rows, and what the model's promises are checked by.

    `broken`: what was promised and not kept. It is not raised, for whoever caused it would catch it.
    """

    theatre: Theatre
    uploads: dict[UUID, Row] = field(default_factory=dict)
    active: dict[int, Row] = field(default_factory=dict)
    suspects: dict[UUID, tuple[int, int, float]] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    applied: set[tuple[UUID, int]] = field(default_factory=set)
    steps: list[tuple[UUID, State, State]] = field(default_factory=list)

    def accept(self, upload_id: UUID, party: int) -> UploadRef:
        row = Row(upload_id, party, len(self.uploads) + 1, self.theatre.seconds + GRACE)
        self.uploads[upload_id] = row
        return row.ref

    def waiting(self) -> list[Row]:
        """What has not ended."""
        return [row for row in self.uploads.values() if row.state in ACTIVE]

    def load(self, stage: Stage, refs: Sequence[UploadRef]) -> list[tuple[Row, bool]]:
        """Those that still wait for it, and whether an intent was open before."""
        rows = self._held(stage, refs)
        if stage is not Stage.FORWARD:
            return [(row, False) for row in rows]
        return [(row, self._intend(row)) for row in rows if self._may_send(row)]

    def settle(self, stage: Stage, outcomes: Sequence[Outcome[object]]) -> list[UploadRef]:
        """One transaction. Of two outcomes for one upload the first counts."""
        first = {outcome.ref.id: outcome for outcome in reversed(outcomes)}
        held = {row.id for row in self._held(stage, [outcome.ref for outcome in first.values()])}
        newest = self._newest_stored(stage, [first[each] for each in held])
        moved = []
        for upload_id in sorted(held, key=lambda each: self.uploads[each].place):
            row, outcome = self.uploads[upload_id], first[upload_id]
            self._apply(stage, row, outcome, late=row.place < newest.get(row.party, 0))
            if isinstance(outcome, Advanced) and row.state is NEXT[stage][0] and row.state in WAITS_FOR:
                moved.append(row.ref)
        return moved

    def due(self, limit: int) -> dict[Stage, list[UploadRef]]:
        found: dict[Stage, list[UploadRef]] = {}
        ready = sorted((row for row in self.waiting() if (row.due or 0) <= self.theatre.seconds), key=_due)
        for row in ready[:limit]:
            row.due, row.dispatched = self.theatre.seconds + LEASE, False
            found.setdefault(WAITS_FOR[row.state], []).append(row.ref)
        return found

    def note(self, refs: Sequence[UploadRef]) -> None:
        for ref in refs:
            row = self.uploads[ref.id]
            if row.epoch == ref.epoch and not row.dispatched and row.due is not None:
                row.dispatched, row.due = True, self.theatre.seconds + NOTED

    def suspect(self, refs: Sequence[UploadRef], deaths: int) -> None:
        for ref in refs:
            row = self.uploads[ref.id]
            if row.epoch == ref.epoch and row.state in ACTIVE:
                epoch, before, _ = self.suspects.get(ref.id, (ref.epoch, 0, 0.0))
                total = deaths + (before if epoch == ref.epoch else 0)
                self.suspects[ref.id] = (ref.epoch, total, self.theatre.seconds)
                row.due, row.dispatched = math.inf, True

    def suspects_due(self) -> list[Suspect]:
        self.suspects = {each: of for each, of in self.suspects.items() if self._is_at(each, of[0])}
        found = [each for each, of in self.suspects.items() if of[2] <= self.theatre.seconds]
        for each in found:
            epoch, deaths, _ = self.suspects[each]
            self.suspects[each] = (epoch, deaths, self.theatre.seconds + LEASE)
        return [
            Suspect(WAITS_FOR[self.uploads[each].state], self.uploads[each].ref, self.suspects[each][1])
            for each in found
        ]

    def suspects_noted(self, refs: Sequence[UploadRef]) -> None:
        for ref in refs:
            if ref.id in self.suspects and self.suspects[ref.id][0] == ref.epoch:
                self.suspects[ref.id] = (*self.suspects[ref.id][:2], self.theatre.seconds + NOTED)

    def _is_at(self, upload_id: UUID, epoch: int) -> bool:
        row = self.uploads[upload_id]
        return row.epoch == epoch and row.state in ACTIVE

    def _held(self, stage: Stage, refs: Sequence[UploadRef]) -> list[Row]:
        """The guard."""
        rows = [(self.uploads[ref.id], ref.epoch) for ref in dict.fromkeys(refs)]
        return [row for row, epoch in rows if row.state is STATE_OF[stage] and row.epoch == epoch]

    def _may_send(self, row: Row) -> bool:
        """What a newer one has replaced ends; while an older one of the party may be under way, the newer waits.

        So does what was replaced while it is under way itself: somebody else has the same message.
        """
        if self.active[row.party] is not row and not self._under_way(row):
            self._move(row, State.SUPERSEDED)
            return False
        waits = self.active[row.party] is not row or any(
            self._under_way(other) for other in self.uploads.values() if self._older(other, row)
        )
        if waits:
            row.dispatched, row.due = True, self.theatre.seconds + 1
        return not waits

    @staticmethod
    def _older(other: Row, row: Row) -> bool:
        return other.party == row.party and other.state is State.STORED and other.place < row.place

    def _under_way(self, row: Row) -> bool:
        recent = row.intended is not None and row.intended > self.theatre.seconds - ATTEMPT
        return recent and not row.received and (row.intended or 0.0) >= row.updated

    def _intend(self, row: Row) -> bool:
        was_open = row.intended is not None and not row.received
        row.intended = self.theatre.seconds
        return was_open

    def _newest_stored(self, stage: Stage, outcomes: Sequence[Outcome[object]]) -> dict[int, int]:
        """By party: the newest of those that are stored, in this batch or before."""
        if stage is not Stage.PERSIST:
            return {}
        newest = {party: row.place for party, row in self.active.items()}
        for outcome in outcomes:
            row = self.uploads[outcome.ref.id]
            if isinstance(outcome, Advanced):
                newest[row.party] = max(newest.get(row.party, 0), row.place)
        return newest

    def _apply(self, stage: Stage, row: Row, outcome: Outcome[object], *, late: bool) -> None:
        if isinstance(outcome, Held):
            row.due = row.due if row.due == math.inf else self.theatre.seconds + outcome.delay
            row.dispatched, row.updated = True, self.theatre.seconds
            return
        if (row.id, outcome.ref.epoch) in self.applied:
            self.broken.append("one change for each upload, stage and epoch")
        self.applied.add((row.id, outcome.ref.epoch))
        match outcome:
            case Advanced() if late:
                self._move(row, State.SUPERSEDED)
            case Advanced():
                self._move(row, NEXT[stage][0])
                if row.state is State.STORED:
                    self.active[row.party] = row
                row.received |= row.state is State.FORWARDED
            case Refused():
                self._move(row, State.REJECTED)
            case Postponed(delay=delay):
                self._move(row, row.state, delay)
            case Parked():
                self._move(row, State.FAILED)

    def _move(self, row: Row, state: State, delay: float = GRACE) -> None:
        if row.state in ENDS:
            self.broken.append("what has ended stays so")
        if state is not row.state:
            if state not in TRANSITIONS[row.state]:
                self.broken.append("a step that there is")
            self.steps.append((row.id, row.state, state))
        row.attempt = row.attempt + 1 if state is row.state else 0
        row.state, row.epoch, row.dispatched = state, row.epoch + 1, False
        row.due = None if state in ENDS else self.theatre.seconds + delay
        row.updated = self.theatre.seconds


def _due(row: Row) -> float:
    return row.due or 0.0
