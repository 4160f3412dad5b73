"""Organizations, their members, parties and producers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from schemas.directory import EntryState, PartyKind, Role

__all__ = ["Directory", "Organization", "Party", "PartyKind", "Producer", "Role"]


@dataclass(frozen=True, slots=True)
class Organization:
    """The tenant."""

    id: UUID
    rfc: str
    name: str


@dataclass(frozen=True, slots=True)
class Party:
    """Whom certificates belong to."""

    id: UUID
    organization_id: UUID
    kind: PartyKind
    rfc: str
    name: str


@dataclass(frozen=True, slots=True)
class Producer:
    """An AMQP user that publishes uploads for one organization."""

    user: str
    organization_id: UUID
    may_send_clear: bool


class Directory(Protocol):
    """Organizations, members, parties, producers. Every method raises `Unavailable` when the database is away."""

    async def put_organization(self, organization: Organization, *, owner: str) -> bool:
        """Create it with `owner` as owner, or change its RFC and name; true when it was created."""

    async def organization(self, organization_id: UUID) -> Organization | None: ...

    async def organizations(self, subject: str) -> Sequence[Organization]:
        """Those of which `subject` is a member."""

    async def roles(self, subject: str) -> Mapping[UUID, Role]:
        """The organizations of a subject and its role in each."""

    async def put_party(self, party: Party) -> bool:
        """Create or change it; true when it was created. An entry waits for a certificate then, whatever was before.

        Raises `Rejected` (`target_not_found`) when the id belongs to another organization.
        """

    async def void_party(self, party_id: UUID) -> bool:
        """Let an entry wait for nothing any more; false when there is no such entry."""

    async def entry_states(self, party_ids: Sequence[UUID]) -> Mapping[UUID, EntryState]:
        """Where each of those stands that are entries."""

    async def party(self, party_id: UUID) -> Party | None: ...

    async def parties(self, organization_ids: Sequence[UUID]) -> Sequence[Party]: ...

    async def put_producer(self, producer: Producer) -> None: ...

    async def producer(self, user: str) -> Producer | None: ...
