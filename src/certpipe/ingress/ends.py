"""How an upload went, as one of the outcomes that a dialect can say."""

from dataclasses import replace

from certpipe.core.ports.dialect import Arrived, Faulty
from certpipe.core.problems import INTERNAL, Problem
from certpipe.ingress.fields import BUNDLE, Fields
from certpipe.ingress.problems import SUPERSEDED
from certpipe.sat.problems import CATALOGUE
from schemas.events import EventType
from schemas.status import Actor, ProblemView, State, StoredCertificate, UploadStatus

_STEP = {State.STORED: EventType.STORED, State.FORWARDED: EventType.FORWARDED}
FAILED, REFUSED = 500, 422


def reached(status: UploadStatus, until: State) -> bool:
    """Whether it has ever been there: what came after does not change the answer to the same request."""
    return any(step.type == _STEP[until] for step in status.history)


def arrival(status: UploadStatus, certificate: StoredCertificate | None) -> Arrived:
    """With the certificate as it was when it was stored."""
    if certificate is None:
        return Arrived(status, None)
    fresh = {"active": True, "replaced_at": None, "removed_at": None}
    return Arrived(status, certificate.model_copy(update=fresh))


def end(status: UploadStatus, fields: Fields) -> Faulty:
    """Of an upload that ended before it was where it should get to."""
    if status.state is State.SUPERSEDED:
        return Faulty((SUPERSEDED,), status)
    problems = tuple(_problem(view, status.state, fields) for view in status.problems)
    return Faulty(problems or (INTERNAL,), status)


def _problem(view: ProblemView, state: State, fields: Fields) -> Problem:
    """The fault again, with its HTTP status, told of the field as it is called on the wire."""
    known = CATALOGUE.get(view.code)
    refused = REFUSED if known is None or view.actor is not Actor.SUBMITTER else known.status
    problem = replace(Problem(**dict(view)), status=FAILED if state is State.FAILED else refused)
    return problem.about(fields.wire(view.field)) if view.field in BUNDLE else problem
