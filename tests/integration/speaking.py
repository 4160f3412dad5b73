"""A dialect of no vendor: it says the outcome itself, so that tests of the door see what a dialect is given."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from certpipe.core.clock import SystemClock
from certpipe.core.errors import Rejected
from certpipe.core.ports.dialect import (
    Action,
    Arrived,
    Asked,
    BodyForm,
    BodyShape,
    Denied,
    Dialect,
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
from certpipe.ingress.mounting import Mounted
from schemas.base import Kind
from schemas.status import State

PATH = "/plain/{id}/pair"
STATUS = {"Arrived": 200, "StillGoing": 202, "Shown": 200, "Removed": 200, "Denied": 400, "Faulty": 422}
SHAPE = BodyShape("cer", "llave", "clave", frozenset(BodyForm))
NO_UUID = Problem("no_uuid", "No es un UUID", "Not a UUID", field="x-org")


@dataclass(slots=True)
class Plain:
    """Takes multipart and JSON, of owners and admins, for branches and entries."""

    name: str = "plain"
    routes: Sequence[DialectRoute] = (
        DialectRoute("PUT", PATH, Action.UPLOAD),
        DialectRoute("GET", PATH, Action.SHOW),
        DialectRoute("DELETE", PATH, Action.REMOVE),
    )
    shape: BodyShape = SHAPE
    kind: Kind = Kind.CSD
    parties: frozenset[PartyKind] = frozenset({PartyKind.BRANCH, PartyKind.ENTRY})
    roles: frozenset[Role] = frozenset({Role.OWNER, Role.ADMIN})
    until: State = State.STORED
    organization_rfc: bool = False

    def asked(self, headers: Mapping[str, str], action: Action, /) -> Asked:
        del action
        try:
            organization = UUID(headers["x-org"]) if "x-org" in headers else None
        except ValueError:
            raise Rejected(NO_UUID) from None
        return Asked(organization, headers.get("x-key"))

    def render(self, outcome: Outcome, request: Request, /) -> Reply:
        name = type(outcome).__name__
        said = {"outcome": name, "method": request.method, "path": request.path, **_members(outcome)}
        return Reply(STATUS[name], json.dumps(said).encode())


def _members(outcome: Outcome) -> Mapping[str, object]:
    match outcome:
        case Arrived(certificate=certificate):
            return {"certificate": certificate and certificate.model_dump(mode="json")}
        case StillGoing(upload_id=upload_id):
            return {"upload_id": str(upload_id)}
        case Shown(certificate=certificate) | Removed(certificate=certificate):
            return {"certificate": certificate.model_dump(mode="json")}
        case Denied(denial=denial, problems=problems):
            return {"denial": denial.name, "codes": [problem.code for problem in problems]}
        case Faulty(problems=problems):
            return {"problems": [[problem.code, problem.field, problem.status] for problem in problems]}


def spoken(dialect: Dialect | None = None, *, seconds: float = 30.0, until: State | None = None) -> Mounted:
    """The dialect as the door is given it."""
    chosen = Plain() if dialect is None else dialect
    return Mounted(chosen, SystemClock(), seconds, until or chosen.until)
