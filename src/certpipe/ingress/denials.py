"""What went wrong in a dialect's request, as one of the outcomes that a dialect can say."""

import logging
from collections.abc import Mapping

from aiohttp import web

from certpipe.core.errors import Rejected, Unavailable, place
from certpipe.core.ports.dialect import Denial, Denied, Faulty, Outcome
from certpipe.core.ports.doors import IdempotencyConflictError, IdempotencyInFlightError
from certpipe.core.problems import INTERNAL, TARGET_NOT_FOUND, Problem
from certpipe.ingress.answers import retry_after
from certpipe.ingress.auth import UnauthenticatedError
from certpipe.ingress.problems import (
    FORBIDDEN,
    IDEMPOTENCY_CONFLICT,
    IDEMPOTENCY_IN_FLIGHT,
    OF_AIOHTTP,
    UNAUTHORIZED,
)
from certpipe.ingress.refusal import RefusedError

LOG = logging.getLogger(__name__)
CHALLENGE: Mapping[str, str] = {"WWW-Authenticate": 'Bearer realm="certpipe"'}
_IN_WORDS: Mapping[Denial, Problem] = {Denial.NOT_FOUND: TARGET_NOT_FOUND, Denial.FORBIDDEN: FORBIDDEN}


class DeniedError(Exception):
    """Nothing is tried."""

    def __init__(self, denial: Denial) -> None:
        super().__init__(denial.name)
        self.denial = denial


def outcome_of(error: Exception, request_id: str) -> Outcome:
    """The outcome that an exception means. Nothing of an unknown one gets out."""
    match error:
        case UnauthenticatedError():
            LOG.info("request %s: %s", request_id, error)
            return Denied(Denial.UNAUTHENTICATED, (UNAUTHORIZED,), CHALLENGE)
        case Rejected() if any(problem.code == TARGET_NOT_FOUND.code for problem in error.problems):
            return Denied(Denial.NOT_FOUND, (TARGET_NOT_FOUND,))
        case RefusedError() | Rejected():
            return Faulty(error.problems)
        case web.HTTPException() if error.status in OF_AIOHTTP:
            return Faulty((OF_AIOHTTP[error.status],))
        case _:
            return _denied(error, request_id)


def _denied(error: Exception, request_id: str) -> Denied:
    match error:
        case DeniedError(denial=denial):
            return Denied(denial, (_IN_WORDS[denial],))
        case IdempotencyConflictError():
            return Denied(Denial.KEY_REUSED, (IDEMPOTENCY_CONFLICT,))
        case IdempotencyInFlightError():
            return Denied(Denial.IN_FLIGHT, (IDEMPOTENCY_IN_FLIGHT,), retry_after(1))
        case Unavailable():
            return Denied(Denial.BUSY, error.problems, retry_after(error.retry_after))
        case _:
            LOG.error("request %s: %s", request_id, place(error))
            return Denied(Denial.INTERNAL, (INTERNAL,))
