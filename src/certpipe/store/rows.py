"""Outcomes as columns: what every stage's settling statement is given."""

from collections.abc import Sequence
from typing import TypeVar, assert_never
from uuid import UUID

from certpipe.core.ports.runtime import Advanced, Outcome, Parked, Postponed, Refused
from certpipe.core.states import WAITS_FOR
from certpipe.core.uploads import Encrypted, Validated
from certpipe.store.documents import facts_text, problems_text
from schemas.events import EventType
from schemas.messages import UploadRef
from schemas.status import Stage, State

Out = TypeVar("Out")

# id, epoch, next state, event, code, delay, facts, problems, warnings, certificate id
Row = tuple[UUID, int, str, str, str | None, float | None, str | None, str | None, str | None, UUID | None]

STATE_OF = {stage: state for state, stage in WAITS_FOR.items()}
NEXT = {
    Stage.VALIDATE: (State.VALIDATED, EventType.VALIDATED),
    Stage.ENCRYPT: (State.ENCRYPTED, EventType.ENCRYPTED),
    Stage.PERSIST: (State.STORED, EventType.STORED),
    Stage.FORWARD: (State.FORWARDED, EventType.FORWARDED),
}


def columns(stage: Stage, outcomes: Sequence[Outcome[Out]]) -> Sequence[Sequence[object]]:
    """The ten columns of `queries/settle.sql`. Of two outcomes for one upload the first counts."""
    rows = {outcome.ref.id: _row(stage, outcome) for outcome in reversed(outcomes)}
    return list(zip(*rows.values(), strict=True))


def pairs(refs: Sequence[UploadRef]) -> tuple[list[UUID], list[int]]:
    """Ids and epochs, as two columns."""
    return [ref.id for ref in refs], [ref.epoch for ref in refs]


def _row(stage: Stage, outcome: Outcome[Out]) -> Row:
    ref = outcome.ref
    match outcome:
        case Advanced(out=out):
            state, event = NEXT[stage]
            facts = warnings = certificate = None
            if isinstance(out, Validated):
                facts, warnings = facts_text(out.facts), problems_text(out.warnings)
            elif isinstance(out, Encrypted):
                certificate = out.certificate_id
            return ref.id, ref.epoch, state, event, None, None, facts, None, warnings, certificate
        case Refused(problems=problems, facts=read, warnings=found):
            code = problems[0].code if problems else None
            facts = None if read is None else facts_text(read)
            told = problems_text(problems), problems_text(found)
            return ref.id, ref.epoch, State.REJECTED, EventType.REJECTED, code, None, facts, *told, None
        case Postponed(problem=problem, delay=delay):
            state = STATE_OF[stage]
            return ref.id, ref.epoch, state, EventType.RETRIED, problem.code, delay, None, None, None, None
        case Parked(problem=problem):
            told = problems_text((problem,)), None
            return ref.id, ref.epoch, State.FAILED, EventType.FAILED, problem.code, None, None, *told, None
        case _:
            assert_never(outcome)
