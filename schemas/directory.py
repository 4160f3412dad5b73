"""Organizations, parties and producers, as they are put and shown."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from schemas.base import Contract


def _printable(name: str) -> str:
    if not name.strip() or not name.isprintable():
        raise ValueError("a name has printable characters, and not only blanks")
    return name


Rfc = Annotated[str, Field(min_length=12, max_length=13, description="12 or 13 characters, in capitals")]
Name = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_printable)]


class MemberRole(StrEnum):
    """What a member may do: owners and admins manage parties, every member submits and reads."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


class PartyType(StrEnum):
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
    role: MemberRole | None


class OrganizationList(Contract):
    """The caller's organizations."""

    items: tuple[OrganizationView, ...]


class PartyBody(Contract):
    """What is put of a party."""

    organization_id: UUID
    kind: PartyType
    rfc: Rfc
    name: Name


class PartyView(Contract):
    """Whom certificates belong to. `state` is an entry's; null for other kinds."""

    id: UUID
    organization_id: UUID
    kind: PartyType
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
