"""A vendor's dialect: how its clients' requests read, and what they expect to be answered. No I/O, no framework."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from typing import Any, Protocol
from uuid import UUID

from certpipe.core.ports.directory import PartyKind, Role
from certpipe.core.problems import Problem
from schemas.base import Kind
from schemas.status import State, StoredCertificate, UploadStatus


class Action(Enum):
    """What a route of a dialect does with the party's certificate."""

    UPLOAD = auto()
    SHOW = auto()
    REMOVE = auto()


class BodyForm(Enum):
    """How an upload's body is written."""

    JSON = auto()
    MULTIPART = auto()


@dataclass(frozen=True, slots=True)
class BodyShape:
    """The names that a dialect gives to the three parts of a bundle.

    `extensions`: file names must end in `.cer` and `.key`. `forms`: those that are read; others are 415.
    """

    certificate: str
    private_key: str
    password: str
    forms: frozenset[BodyForm]
    extensions: bool = False


@dataclass(frozen=True, slots=True)
class Described:
    """One answer, for the description of the API: `schema` is JSON Schema 2020-12 of its body, None where it has none.

    `headers`: the names of those that a client may rely on (`Location`, `Retry-After`, `WWW-Authenticate`).
    """

    status: int
    description: str
    schema: Mapping[str, Any] | None = field(default=None, hash=False)
    headers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DescribedHeader:
    """One header of a request, for the description of the API. `schema` is JSON Schema."""

    name: str
    description: str
    required: bool = False
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"}, hash=False)


@dataclass(frozen=True, slots=True)
class DialectRoute:
    """One address of the vendor. `{id}` in the path is the party.

    The rest is for the description of the API: one line, every status that can come with its body, and the headers that
    are read (`Authorization` and `Prefer` are described for all).
    """

    method: str
    path: str
    action: Action
    summary: str = ""
    answers: tuple[Described, ...] = ()
    headers: tuple[DescribedHeader, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """What a dialect reads from the headers: the organization that the client names, and its idempotency key."""

    organization_id: UUID | None = None
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """What a reply may quote. `path` is the path as it was called, without a query."""

    request_id: str
    at: datetime
    method: str
    path: str


# --- what came of a request: a closed set ---


@dataclass(frozen=True, slots=True)
class Arrived:
    """The upload reached what the dialect waits for, be it now or when its key came first.

    `certificate`: the stored version as it was then, active and not replaced, so that the answer to the same key stays
    the same; None where none was stored. Of `status`, only what never changes again should be quoted.
    """

    status: UploadStatus
    certificate: StoredCertificate | None


@dataclass(frozen=True, slots=True)
class StillGoing:
    """The time is over, or the client asked not to wait: the upload goes on."""

    upload_id: UUID
    location: str
    retry_after: int


@dataclass(frozen=True, slots=True)
class Shown:
    """The active certificate."""

    certificate: StoredCertificate


@dataclass(frozen=True, slots=True)
class Removed:
    """The active certificate was removed."""

    certificate: StoredCertificate


class Denial(Enum):
    """Why nothing was even tried."""

    UNAUTHENTICATED = auto()
    FORBIDDEN = auto()
    NOT_FOUND = auto()
    NOTHING_STORED = auto()
    IN_FLIGHT = auto()
    KEY_REUSED = auto()
    BUSY = auto()
    INTERNAL = auto()


@dataclass(frozen=True, slots=True)
class Denied:
    """Nothing was tried. `problems` say it in words.

    `headers` (WWW-Authenticate, Retry-After) go with the answer; the door adds those that the reply leaves out.
    """

    denial: Denial
    problems: tuple[Problem, ...]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Faulty:
    """The request, the bundle or the PAC: every problem, in the order of the check list. `status`: of a refused upload.

    `problems` is never empty; a `field` has the name that the body's shape gives it. An upload that ended `failed`
    comes with the operator's or the provider's problem (status 500); one that a newer upload overtook before it was
    stored comes with `superseded` (status 409).
    """

    problems: tuple[Problem, ...]
    status: UploadStatus | None = None


Outcome = Arrived | StillGoing | Shown | Removed | Denied | Faulty


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes out, to the byte."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


class Dialect(Protocol):
    """One vendor. A new one is one pure file, one line in `dialects/__init__.py`, its transcripts and its page.

    Attributes:
        name: as `certpipe serve --dialects` and CERTPIPE_DIALECTS spell it.
        routes: its addresses.
        shape: of an upload's body.
        kind: what it takes.
        parties: the kinds of party that it knows; another is not found. An entry that does not wait for a certificate
            is not found either.
        roles: the members who may upload and remove.
        until: the state that an answer waits for by default: `stored` or `forwarded`.
        organization_rfc: a certificate's RFC must be its organization's, and not the party's own.
    """

    name: str
    routes: Sequence[DialectRoute]
    shape: BodyShape
    kind: Kind
    parties: frozenset[PartyKind]
    roles: frozenset[Role]
    until: State
    organization_rfc: bool

    def asked(self, headers: Mapping[str, str], action: Action, /) -> Asked:
        """Read the dialect's own headers (names in lower case). Raises `Rejected` with every fault."""

    def render(self, outcome: Outcome, request: Request, /) -> Reply:
        """Say it in the vendor's words and shape. Never raises; an unknown problem is the vendor's general error."""
