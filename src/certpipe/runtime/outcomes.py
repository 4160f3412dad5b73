"""From how a stage ended to what is written down: one closed set, decided in one place."""

import logging
from dataclasses import dataclass, field
from typing import Final, TypeVar

from certpipe.core.errors import Barred, Rejected, Unavailable, Uncertain, place
from certpipe.core.ports.runtime import Advanced, Held, Outcome, Parked, Postponed, Refused
from certpipe.core.problems import INTERNAL, Problem
from certpipe.core.retry import Backoff
from schemas.messages import UploadRef
from schemas.status import Actor

Out = TypeVar("Out")
log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to go on: for days while the other side is away, a few times at a defect of our own."""

    away: Backoff = field(default_factory=Backoff)
    defect: Backoff = field(default_factory=lambda: Backoff(first=2.0, most=60.0, attempts=5))


@dataclass(frozen=True, slots=True)
class Tries:
    """Which try of the stage this is (1 is the first), and which of its defects, should it end by one.

    Counted apart: a PAC that was away for a day has not used up the few tries that a defect has.
    """

    all: int = 1
    defects: int = 1


def outcome_of(ref: UploadRef, tries: Tries, result: Out | BaseException, policy: RetryPolicy) -> Outcome[Out]:
    """What becomes of an upload whose stage ended with `result`."""
    match result:
        case Rejected() as no if all(problem.actor is Actor.OPERATOR for problem in no.problems):
            # Nobody who submits can mend it; and what is rejected loses its box and its parts.
            return Parked(ref, no.problems[0], no.destination)
        case Rejected() as no:
            return Refused(ref, no.problems, facts=no.facts, warnings=no.warnings, destination=no.destination)
        case Barred() as barred:
            return Held(ref, barred.delay)
        case Unavailable() | Uncertain() as away:
            asked = away.retry_after if isinstance(away, Unavailable) else None
            return _again(ref, away.problems[0], policy.away.delay(tries.all, at_least=asked), away.destination)
        case BaseException() as defect:
            # The text of an unknown exception may quote anything; its type and place may be told.
            log.error("defect in a stage", extra={"upload_id": str(ref.id), "defect": place(defect)})
            return _again(ref, INTERNAL, policy.defect.delay(tries.defects))
        case out:
            return Advanced(ref, out)


def _again(ref: UploadRef, problem: Problem, delay: float | None, destination: str | None = None) -> Postponed | Parked:
    if delay is None:
        return Parked(ref, problem, destination)
    return Postponed(ref, problem, delay, destination)
