"""Organizations, parties and producers, as they are put and shown."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import Field

from schemas.base import Contract

# SAT's pattern (tdCFDI.xsd, t_RFC): 13 characters for a person, 12 for a company.
RFC_PATTERN = r"[A-Z&Ñ]{3,4}[0-9]{2}(?:0[1-9]|1[012])(?:0[1-9]|[12][0-9]|3[01])[A-Z0-9]{2}[0-9A]"
# Neither controls nor what nobody sees or what turns a line around; and not only blanks.
_HIDDEN = r"\u0000-\u001f\u007f-\u00a0\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff0-\uffff"
NAME_PATTERN = rf"^[^{_HIDDEN}]*[^{_HIDDEN} ][^{_HIDDEN}]*$"

Rfc = Annotated[
    str,
    Field(
        min_length=12,
        max_length=13,
        description="12 or 13 characters, in capitals",
        json_schema_extra={"pattern": f"^{RFC_PATTERN}$"},
    ),
]
Name = Annotated[str, Field(min_length=1, max_length=300, pattern=NAME_PATTERN)]

OPERATOR_SCOPE = "ops:act"
"""The scope of a token with which operators ask: they make organizations and producers."""


class Role(StrEnum):
    """What a member may do: owners and admins manage parties, every member submits and reads."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


class PartyKind(StrEnum):
    """What a party is called at its vendor."""

    ENTRY = "entry"
    BRANCH = "branch"
    ORGANIZATION = "organization"


class EntryState(StrEnum):
    """Where an entry stands with its e.firma. It waits once more when its upload was rejected, or it is put again."""

    WAITING = "waiting"
    PROCESSING = "processing"
    REGISTERED = "registered"
    ERROR = "error"
    VOID = "void"


class OrganizationBody(Contract):
    """What is put of an organization."""

    rfc: Rfc
    name: Name


class OrganizationView(Contract):
    """An organization, and what the caller is in it."""

    id: UUID
    rfc: str
    name: str
    role: Role | None


class OrganizationList(Contract):
    """The caller's organizations."""

    items: tuple[OrganizationView, ...]


class PartyBody(Contract):
    """What is put of a party."""

    organization_id: UUID
    kind: PartyKind
    rfc: Rfc
    name: Name


class PartyView(Contract):
    """Whom certificates belong to. `state` is an entry's; null for other kinds."""

    id: UUID
    organization_id: UUID
    kind: PartyKind
    rfc: str
    name: str
    state: EntryState | None = None


class PartyList(Contract):
    """The parties of the caller's organizations."""

    items: tuple[PartyView, ...]


class ProducerBody(Contract):
    """What is put of a producer: whether it may publish bundles in clear."""

    may_send_clear: Annotated[bool, Field(strict=True)] = False


class ProducerView(Contract):
    """A broker user that publishes uploads for one organization."""

    user: str
    organization_id: UUID
    may_send_clear: bool
