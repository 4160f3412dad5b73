"""Outcomes as columns: what every stage's settling statement is given."""

import json
from collections.abc import Sequence
from typing import NamedTuple, TypeVar, assert_never
from uuid import UUID

from certpipe.core.ports.runtime import Advanced, Held, Outcome, Parked, Postponed, Refused, Settled
from certpipe.core.states import WAITS_FOR
from certpipe.core.uploads import Encrypted, Forwarded, Validated
from certpipe.store.documents import facts_text, problems_text
from schemas.events import EventType
from schemas.messages import UploadRef
from schemas.status import Stage, State

Out = TypeVar("Out")


class Row(NamedTuple):
    """One outcome, in the order of the columns of `queries/settle.sql`.

    `problems` are those of the event: an upload that goes on keeps its own. `destinations`, a JSON array: all that took
    it, or the one that did not.
    """

    id: UUID
    epoch: int
    state: State
    event: EventType
    code: str | None = None
    delay: float | None = None
    facts: str | None = None
    problems: str | None = None
    warnings: str | None = None
    certificate_id: UUID | None = None
    destinations: str | None = None


STATE_OF = {stage: state for state, stage in WAITS_FOR.items()}
NEXT = {
    Stage.VALIDATE: (State.VALIDATED, EventType.VALIDATED),
    Stage.ENCRYPT: (State.ENCRYPTED, EventType.ENCRYPTED),
    Stage.PERSIST: (State.STORED, EventType.STORED),
    Stage.FORWARD: (State.FORWARDED, EventType.FORWARDED),
}


def columns(stage: Stage, outcomes: Sequence[Outcome[Out]]) -> Sequence[Sequence[object]]:
    """The eleven columns of `queries/settle.sql`. Of two outcomes for one upload the first counts.

    What is held has no row here: it changes nothing that these tell of.
    """
    settled = [outcome for outcome in reversed(outcomes) if not isinstance(outcome, Held)]
    rows = {outcome.ref.id: _row(stage, outcome) for outcome in settled}
    return list(zip(*rows.values(), strict=True))


def pairs(refs: Sequence[UploadRef]) -> tuple[list[UUID], list[int]]:
    """Ids and epochs, as two columns."""
    return [ref.id for ref in refs], [ref.epoch for ref in refs]


def _row(stage: Stage, outcome: Settled[Out]) -> Row:
    ref = outcome.ref
    match outcome:
        case Advanced(out=out):
            return _advanced(Row(ref.id, ref.epoch, *NEXT[stage]), out)
        case Refused(problems=problems, facts=read, warnings=warnings, destination=who):
            code = problems[0].code if problems else None
            facts = None if read is None else facts_text(read)
            told = problems_text(problems), problems_text(warnings)
            return Row(
                ref.id, ref.epoch, State.REJECTED, EventType.REJECTED, code, None, facts, *told, None, _names(who)
            )
        case Postponed(problem=problem, delay=delay, destination=who):
            again = Row(ref.id, ref.epoch, STATE_OF[stage], EventType.RETRIED, problem.code, delay)
            return again._replace(problems=problems_text((problem,)), destinations=_names(who))
        case Parked(problem=problem, destination=who):
            end = Row(ref.id, ref.epoch, State.FAILED, EventType.FAILED, problem.code)
            return end._replace(problems=problems_text((problem,)), destinations=_names(who))
        case _:
            assert_never(outcome)


def _advanced(row: Row, out: object) -> Row:
    """With what the stage made of it, as far as it stands in the upload's own row."""
    match out:
        case Validated(facts=facts, warnings=warnings):
            return row._replace(facts=facts_text(facts), warnings=problems_text(warnings))
        case Encrypted(certificate_id=certificate_id):
            return row._replace(certificate_id=certificate_id)
        case Forwarded(receipts=receipts):
            return row._replace(destinations=_names(*(receipt.destination for receipt in receipts)))
        case _:
            return row


def _names(*destinations: str | None) -> str | None:
    """Each once, as a JSON array; None where there is none."""
    known = [name for name in dict.fromkeys(destinations) if name is not None]
    return json.dumps(known) if known else None
