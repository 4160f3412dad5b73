"""Lummy: `PUT` and `GET /branches/{id}/csd`, with and without `/v1`, in its StandardResponse."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any
from uuid import UUID

from certpipe.core import telling
from certpipe.core.errors import Rejected
from certpipe.core.ports.dialect import (
    Action,
    Arrived,
    Asked,
    BodyForm,
    BodyShape,
    Denial,
    Denied,
    Described,
    DescribedHeader,
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
from certpipe.sat.problems import problem
from schemas.base import Kind
from schemas.status import State, StoredCertificate

ORGANIZATION, KEY = "x-organization-id", "x-idempotency"

_VERSION = "/v1"
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_CODES: Mapping[int, str] = MappingProxyType(
    {
        400: "ValidationError",
        401: "UnauthorizedException",
        403: "ForbiddenException",
        404: "NotFoundException",
        405: "MethodNotAllowedException",
        409: "ConflictException",
        422: "ValidationError",
        500: "InternalServerErrorException",
        503: "ServiceUnavailableException",
    }
)
# Lummy has one status for everything that is wrong with what was sent.
_FOLDED: Mapping[int, int] = MappingProxyType({422: 400})
# A status, and the words where ours would name nothing that Lummy's user knows.
_DENIALS: Mapping[Denial, tuple[int, str | None]] = MappingProxyType(
    {
        Denial.UNAUTHENTICATED: (401, None),
        Denial.FORBIDDEN: (403, None),
        Denial.NOT_FOUND: (404, "La sucursal no existe"),
        Denial.NOTHING_STORED: (404, "La sucursal no tiene un CSD"),
        Denial.IN_FLIGHT: (409, None),
        Denial.KEY_REUSED: (422, None),
        Denial.BUSY: (503, None),
        Denial.INTERNAL: (500, None),
    }
)
_TEXT: Mapping[str, Any] = {"type": "string"}
_TIME: Mapping[str, Any] = {"type": "string", "format": "date-time"}
_MAYBE_TEXT: Mapping[str, Any] = {"type": ["string", "null"]}
_MAYBE_TIME: Mapping[str, Any] = {"type": ["string", "null"], "format": "date-time"}
_ID: Mapping[str, Any] = {"type": "string", "format": "uuid"}
_ENVELOPE: Mapping[str, Any] = {"requestId": _TEXT, "timestamp": _TIME, "path": _TEXT, "method": _TEXT}
_UPLOADED: Mapping[str, Any] = {
    "id": _ID,
    "serialNumber": _MAYBE_TEXT,
    "validFrom": _MAYBE_TIME,
    "validTo": _MAYBE_TIME,
    "status": {"enum": ["active", "processing"]},
}
_SHOWN: Mapping[str, Any] = {
    "id": _ID,
    "certificateNumber": _MAYBE_TEXT,
    "validFrom": _MAYBE_TIME,
    "validUntil": _MAYBE_TIME,
    "rfc": _MAYBE_TEXT,
    "isActive": {"type": "boolean"},
    "createdAt": _TIME,
}


def _standard(members: Mapping[str, Any]) -> Mapping[str, Any]:
    """The StandardResponse of these members."""
    return telling.exactly({**_ENVELOPE, "data": telling.exactly(members), **members})


_ERROR = telling.exactly(
    {**_ENVELOPE, "error": telling.exactly({"message": _TEXT, "code": _TEXT, "status": {"type": "integer"}})}
)
_ERRORS = (
    Described(400, "ValidationError", _ERROR),
    Described(401, "UnauthorizedException", _ERROR, ("WWW-Authenticate",)),
    Described(403, "ForbiddenException", _ERROR),
    Described(404, "NotFoundException", _ERROR),
    Described(500, "InternalServerErrorException", _ERROR),
    Described(503, "ServiceUnavailableException", _ERROR, ("Retry-After",)),
)
_OWN = DescribedHeader(ORGANIZATION, "The organization of the branch", required=True, schema=_ID)
_PUT = (
    "PUT",
    Action.UPLOAD,
    "Replace a branch's CSD, as Lummy does",
    (
        Described(200, "The CSD is stored and active", _standard(_UPLOADED)),
        Described(202, "Not stored yet; it goes on", _standard(_UPLOADED), ("Location", "Retry-After")),
        *_ERRORS,
        Described(409, "ConflictException: the same key is in flight, or a newer upload took its place", _ERROR),
        Described(422, "ValidationError: the key was used with another content", _ERROR),
    ),
    (_OWN, DescribedHeader(KEY, "A repeated key gets the first result again", required=True, schema=_ID)),
)
_GET = (
    "GET",
    Action.SHOW,
    "Show a branch's CSD, as Lummy does",
    (Described(200, "The active CSD", _standard(_SHOWN)), *_ERRORS),
    (_OWN,),
)


class Lummy:
    """A CSD in multipart; 200 when it is stored. The members of an answer stand under `data` and at the top."""

    name: str = "lummy"
    routes: Sequence[DialectRoute] = tuple(
        DialectRoute(method, f"{version}/branches/{{id}}/csd", action, summary, answers, headers)
        for version in (_VERSION, "")
        for method, action, summary, answers, headers in (_PUT, _GET)
    )
    shape: BodyShape = BodyShape("cerFile", "keyFile", "password", frozenset({BodyForm.MULTIPART}))
    kind: Kind = Kind.CSD
    parties: frozenset[PartyKind] = frozenset({PartyKind.BRANCH, PartyKind.ORGANIZATION})
    roles: frozenset[Role] = frozenset(Role)
    until: State = State.STORED
    organization_rfc: bool = True

    def asked(self, headers: Mapping[str, str], action: Action, /) -> Asked:
        problems: list[Problem] = []
        organization = _uuid(headers, ORGANIZATION, problems)
        key = _uuid(headers, KEY, problems) if action is Action.UPLOAD else None
        if problems:
            raise Rejected(*problems)
        return Asked(organization_id=organization, idempotency_key=None if key is None else str(key))

    def render(self, outcome: Outcome, request: Request, /) -> Reply:
        match outcome:
            case Arrived():
                return _success(200, _uploaded(outcome), request, {})
            case StillGoing():
                headers = {"Location": outcome.location, "Retry-After": str(outcome.retry_after)}
                return _success(202, _members(str(outcome.upload_id), "processing"), request, headers)
            case Shown() | Removed():
                return _success(200, _shown(outcome.certificate), request, {})
            case Denied():
                status, words = _DENIALS[outcome.denial]
                return _error(status, words or telling.spanish(outcome.problems), request, outcome.headers)
            case Faulty():
                status = _FOLDED.get(verdict := telling.verdict(outcome.problems)[0], verdict)
                return _error(status, telling.spanish(outcome.problems), request, {})


def _uuid(headers: Mapping[str, str], name: str, problems: list[Problem]) -> UUID | None:
    """A UUID of any version, as its clients' libraries write it."""
    text = headers.get(name, "").strip()
    if _UUID.fullmatch(text):
        return UUID(text)
    if text:
        problems.append(
            Problem("invalid_header", "La cabecera debe ser un UUID", "The header must be a UUID", field=name)
        )
    else:
        problems.append(problem("missing_field", field=name, what_es="la cabecera", what_en="the header"))
    return None


def _uploaded(outcome: Arrived) -> dict[str, object]:
    """It is `active`, whatever came later: a repeated key gets the first answer again."""
    stored = outcome.certificate
    facts = stored.facts if stored else outcome.status.certificate
    id_ = stored.id if stored else outcome.status.certificate_id or outcome.status.id
    if facts is None:
        return _members(str(id_), "active")
    return _members(
        str(id_),
        "active",
        serial=facts.number,
        valid_from=telling.instant(facts.valid_from),
        valid_to=telling.instant(facts.valid_to),
    )


def _members(
    id_: str, status: str, *, serial: str | None = None, valid_from: str | None = None, valid_to: str | None = None
) -> dict[str, object]:
    return {"id": id_, "serialNumber": serial, "validFrom": valid_from, "validTo": valid_to, "status": status}


def _shown(certificate: StoredCertificate) -> dict[str, object]:
    """Its `GET` has other names for the same."""
    facts = certificate.facts
    return {
        "id": str(certificate.id),
        "certificateNumber": facts.number,
        "validFrom": telling.instant(facts.valid_from),
        "validUntil": telling.instant(facts.valid_to),
        "rfc": facts.rfc,
        "isActive": certificate.active,
        "createdAt": telling.instant(certificate.stored_at),
    }


def _success(status: int, members: dict[str, object], request: Request, headers: Mapping[str, str]) -> Reply:
    """The envelope, and its members once more at the top, where the vendor's own samples read them."""
    document = {"requestId": request.request_id, "data": members, **_envelope(request), **members}
    return Reply(status, telling.body(document), headers=headers)


def _error(status: int, message: str, request: Request, headers: Mapping[str, str]) -> Reply:
    error = {"message": message, "code": _CODES[status], "status": status}
    document = {"requestId": request.request_id, "error": error, **_envelope(request)}
    return Reply(status, telling.body(document), headers=headers)


def _envelope(request: Request) -> dict[str, object]:
    path = request.path.removeprefix(_VERSION)
    return {"timestamp": telling.instant(request.at), "path": path, "method": request.method}
