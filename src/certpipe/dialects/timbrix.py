"""Timbrix: `PUT` and `DELETE /organizations/{id}/certificates`, for the owner of the organization alone."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from certpipe.core import telling
from certpipe.core.ports.dialect import (
    Action,
    Arrived,
    Asked,
    BodyForm,
    BodyShape,
    Denial,
    Denied,
    Described,
    DialectRoute,
    Faulty,
    Outcome,
    Removed,
    Reply,
    Request,
    Shown,
    StillGoing,
)
from certpipe.core.ports.directory import PartyKind, Role
from certpipe.core.problems import Problem
from schemas.base import Kind
from schemas.status import CertificateFacts, State

_PATH = "/organizations/{id}/certificates"
# Timbrix has one status for everything that is wrong with what was sent.
_FOLDED: Mapping[int, int] = MappingProxyType({422: 400})
# A status, and the words where ours would name nothing that Timbrix's user knows.
_DENIALS: Mapping[Denial, tuple[int, str | None]] = MappingProxyType(
    {
        Denial.UNAUTHENTICATED: (401, None),
        Denial.FORBIDDEN: (403, "Only the owner of the organization may do this"),
        Denial.NOT_FOUND: (404, "Organization not found"),
        Denial.NOTHING_STORED: (400, "The organization has no certificate"),
        Denial.IN_FLIGHT: (409, None),
        Denial.KEY_REUSED: (422, None),
        Denial.BUSY: (503, None),
        Denial.INTERNAL: (500, None),
    }
)
_REASONS: Mapping[int, str] = MappingProxyType(
    {
        400: "Bad Request",
        401: "Unauthorized",
        403: "Forbidden",
        404: "Not Found",
        405: "Method Not Allowed",
        409: "Conflict",
        422: "Unprocessable Entity",
        500: "Internal Server Error",
        503: "Service Unavailable",
    }
)
_MAYBE_TEXT: Mapping[str, Any] = {"type": ["string", "null"]}
_MAYBE_TIME: Mapping[str, Any] = {"type": ["string", "null"], "format": "date-time"}


_CERTIFICATE = telling.exactly(
    {
        "certificateSerialNumber": _MAYBE_TEXT,
        "certificateExpiresAt": _MAYBE_TIME,
        "certificateUpdatedAt": _MAYBE_TIME,
        "rfc": _MAYBE_TEXT,
    }
)
_STATUS: Mapping[str, Any] = {"statusCode": {"type": "integer"}, "message": {"type": "string"}}
_ERROR = telling.exactly({**_STATUS, "error": {"type": "string"}, "code": {"type": "string"}})
_ERRORS = (
    Described(400, "Invalid files, wrong password, expired certificate; nothing to remove", _ERROR),
    Described(401, "No valid token", _ERROR, ("WWW-Authenticate",)),
    Described(403, "Not the owner of the organization", _ERROR),
    Described(404, "Unknown organization", _ERROR),
    Described(500, "Internal error", _ERROR),
    Described(503, "Too much work, or something is away", _ERROR, ("Retry-After",)),
)


class Timbrix:
    """A CSD in multipart; 200 when it is stored, with what was read from the certificate."""

    name: str = "timbrix"
    routes: Sequence[DialectRoute] = (
        DialectRoute(
            "PUT",
            _PATH,
            Action.UPLOAD,
            "Replace an organization's CSD, as Timbrix does",
            (
                Described(200, "The CSD is stored and active", _CERTIFICATE),
                Described(202, "Not stored yet; it goes on", telling.exactly(_STATUS), ("Location", "Retry-After")),
                *_ERRORS,
                Described(409, "The same key is in flight, or a newer upload took this one's place", _ERROR),
                Described(422, "The key was used with another content", _ERROR),
            ),
            (telling.KEY_HEADER,),
        ),
        DialectRoute(
            "DELETE",
            _PATH,
            Action.REMOVE,
            "Remove an organization's CSD, as Timbrix does",
            (Described(200, "The CSD was removed", _CERTIFICATE), *_ERRORS),
        ),
    )
    shape: BodyShape = BodyShape(
        "certificate", "privateKey", "password", frozenset({BodyForm.MULTIPART}), extensions=True
    )
    kind: Kind = Kind.CSD
    parties: frozenset[PartyKind] = frozenset({PartyKind.ORGANIZATION})
    roles: frozenset[Role] = frozenset({Role.OWNER})
    until: State = State.STORED
    organization_rfc: bool = False

    def asked(self, headers: Mapping[str, str], _action: Action, /) -> Asked:
        return Asked(idempotency_key=telling.idempotency_key(headers))

    def render(self, outcome: Outcome, _request: Request, /) -> Reply:
        match outcome:
            case Arrived():
                return Reply(200, telling.body(_uploaded(outcome)))
            case StillGoing():
                headers = {"Location": outcome.location, "Retry-After": str(outcome.retry_after)}
                text = "The certificate was received and is being processed"
                return Reply(202, telling.body({"statusCode": 202, "message": text}), headers=headers)
            case Shown():
                stored = outcome.certificate
                return Reply(200, telling.body(_members(stored.facts, telling.instant(stored.stored_at))))
            case Removed():
                return Reply(200, telling.body(_members(CertificateFacts(), None)))
            case Denied():
                status, words = _DENIALS[outcome.denial]
                return _error(status, outcome.problems, words, outcome.headers)
            case Faulty():
                status = _FOLDED.get(verdict := telling.verdict(outcome.problems)[0], verdict)
                return _error(status, outcome.problems, None, {})


def _uploaded(outcome: Arrived) -> dict[str, object]:
    stored, status = outcome.certificate, outcome.status
    if stored is not None:
        return _members(stored.facts, telling.instant(stored.stored_at))
    return _members(status.certificate or CertificateFacts(), telling.instant(status.updated_at))


def _members(facts: CertificateFacts, updated_at: str | None) -> dict[str, object]:
    """After a removal all are null, as the organization's own members are."""
    return {
        "certificateSerialNumber": facts.number,
        "certificateExpiresAt": telling.instant(facts.valid_to),
        "certificateUpdatedAt": updated_at,
        "rfc": facts.rfc,
    }


def _error(status: int, problems: Sequence[Problem], words: str | None, headers: Mapping[str, str]) -> Reply:
    document = {
        "statusCode": status,
        "message": words or telling.english(problems),
        "error": _REASONS[status],
        "code": telling.verdict(problems)[1].code,
    }
    return Reply(status, telling.body(document), headers=headers)
