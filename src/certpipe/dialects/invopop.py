"""Invopop's SW Sapien app: `POST …/entry/{silo_entry_id}/certificate`, as its clients know it."""

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
from schemas.status import State

_STATUSES: Mapping[Denial, int] = MappingProxyType(
    {
        Denial.UNAUTHENTICATED: 401,
        Denial.FORBIDDEN: 403,
        Denial.NOT_FOUND: 404,
        Denial.NOTHING_STORED: 404,
        Denial.IN_FLIGHT: 409,
        Denial.KEY_REUSED: 422,
        Denial.BUSY: 503,
        Denial.INTERNAL: 500,
    }
)
_ERROR: Mapping[str, Any] = {
    "type": "object",
    "required": ["code", "message"],
    "additionalProperties": False,
    "properties": {
        "code": {"type": "string"},
        "message": {"type": "string"},
        "fields": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
_ANSWERS = (
    Described(202, "Not forwarded yet; it goes on", _ERROR, ("Location", "Retry-After")),
    Described(204, "The certificate was forwarded"),
    Described(400, "Invalid data, or a private key that does not match", _ERROR),
    Described(401, "No valid token", _ERROR, ("WWW-Authenticate",)),
    Described(403, "Not allowed", _ERROR),
    Described(404, "Unknown entry, or one that does not wait for a certificate", _ERROR),
    Described(409, "The same key is in flight, or a newer upload took this one's place", _ERROR),
    Described(422, "The certificate is readable and not acceptable", _ERROR),
    Described(500, "The upload could not be processed", _ERROR),
    Described(503, "Too much work, or something is away", _ERROR, ("Retry-After",)),
)


class Invopop:
    """A FIEL in JSON; 204 when the PAC has it; faults as `message`, `code` and `fields`."""

    name: str = "invopop"
    routes: Sequence[DialectRoute] = (
        DialectRoute(
            "POST",
            "/apps/sw-sapien/v1/entry/{id}/certificate",
            Action.UPLOAD,
            "Upload an entry's e.firma, as Invopop does",
            _ANSWERS,
            (telling.KEY_HEADER,),
        ),
    )
    shape: BodyShape = BodyShape("cer_file", "key_file", "password", frozenset({BodyForm.JSON}))
    kind: Kind = Kind.FIEL
    parties: frozenset[PartyKind] = frozenset({PartyKind.ENTRY})
    roles: frozenset[Role] = frozenset(Role)
    until: State = State.FORWARDED
    organization_rfc: bool = False

    def asked(self, headers: Mapping[str, str], _action: Action, /) -> Asked:
        return Asked(idempotency_key=telling.idempotency_key(headers))

    def render(self, outcome: Outcome, _request: Request, /) -> Reply:
        match outcome:
            case Arrived() | Shown() | Removed():
                return Reply(204)
            case StillGoing():
                headers = {"Location": outcome.location, "Retry-After": str(outcome.retry_after)}
                text = "The certificate was received and is being processed"
                return Reply(202, telling.body({"code": "processing", "message": text}), headers=headers)
            case Denied():
                return _error(_STATUSES[outcome.denial], outcome.problems, outcome.headers)
            case Faulty():
                return _error(telling.verdict(outcome.problems)[0], outcome.problems, {})


def _error(status: int, problems: Sequence[Problem], headers: Mapping[str, str]) -> Reply:
    """`code` is that of the fault that decided the status; `fields` holds what is wrong with each."""
    fields: dict[str, str] = {}
    for problem in problems:
        if problem.field is not None:
            before = fields.get(problem.field)
            fields[problem.field] = f"{before}; {problem.message_en}" if before else problem.message_en
    document: dict[str, object] = {
        "code": telling.verdict(problems)[1].code,
        "message": telling.english(problems),
    }
    if fields:
        document["fields"] = fields
    return Reply(status, telling.body(document), headers=headers)
