"""Organizations, members, parties, producers."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg

from certpipe.core.errors import Rejected
from certpipe.core.ports.directory import Organization, Party, PartyKind, Producer, Role
from certpipe.core.problems import TARGET_NOT_FOUND
from certpipe.store.database import Database, Record
from certpipe.store.documents import storable
from certpipe.store.named import queries
from certpipe.store.together import Together
from schemas.directory import EntryState

_SQL = queries("directory")
_MOST = 64
_AT_ONCE = 2


class StoreDirectory:
    """The directory over the store. Parties that are asked for at the same time are looked up in one query."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._party = Together(self._parties_by_id, most=_MOST, at_once=_AT_ONCE)

    async def put_organization(self, organization: Organization, *, owner: str) -> bool:
        row = await self._database.fetchrow(
            _SQL["put_organization"], organization.id, storable(organization.rfc), storable(organization.name), owner
        )
        return row is not None and bool(row["created"])

    async def organization(self, organization_id: UUID) -> Organization | None:
        row = await self._database.fetchrow(_SQL["organization"], organization_id)
        return None if row is None else Organization(**row)

    async def organizations(self, subject: str) -> Sequence[Organization]:
        return [Organization(**row) for row in await self._database.fetch(_SQL["organizations"], subject)]

    async def roles(self, subject: str) -> Mapping[UUID, Role]:
        return {row["organization_id"]: Role(row["role"]) for row in await self._database.fetch(_SQL["roles"], subject)}

    async def put_party(self, party: Party) -> bool:
        """As the port says; `target_not_found` also when there is no such organization."""
        try:
            row = await self._database.fetchrow(
                _SQL["put_party"],
                party.id,
                party.organization_id,
                party.kind,
                storable(party.rfc),
                storable(party.name),
            )
        except asyncpg.ForeignKeyViolationError as error:
            raise Rejected(TARGET_NOT_FOUND) from error
        if row is None:
            raise Rejected(TARGET_NOT_FOUND)
        return bool(row["created"])

    async def void_party(self, party_id: UUID) -> bool:
        return await self._database.fetchrow(_SQL["void_party"], party_id) is not None

    async def entry_states(self, party_ids: Sequence[UUID]) -> Mapping[UUID, EntryState]:
        rows = await self._database.fetch(_SQL["entry_states"], list(party_ids))
        return {row["id"]: EntryState(row["state"]) for row in rows}

    async def party(self, party_id: UUID) -> Party | None:
        return await self._party(party_id)

    async def parties(self, organization_ids: Sequence[UUID]) -> Sequence[Party]:
        return [_party(row) for row in await self._database.fetch(_SQL["parties"], list(organization_ids))]

    async def put_producer(self, producer: Producer) -> None:
        """Raises `Rejected` (`target_not_found`) when there is no such organization."""
        try:
            await self._database.execute(
                _SQL["put_producer"], producer.user, producer.organization_id, producer.may_send_clear
            )
        except asyncpg.ForeignKeyViolationError as error:
            raise Rejected(TARGET_NOT_FOUND) from error

    async def producer(self, user: str) -> Producer | None:
        row = await self._database.fetchrow(_SQL["producer"], user)
        return None if row is None else Producer(row["username"], row["organization_id"], row["may_send_clear"])

    async def _parties_by_id(self, party_ids: Sequence[UUID]) -> Sequence[Party | None]:
        rows = await self._database.fetch(_SQL["parties_by_id"], list(set(party_ids)))
        found = {row["id"]: _party(row) for row in rows}
        return [found.get(party_id) for party_id in party_ids]


def _party(row: Record) -> Party:
    return Party(row["id"], row["organization_id"], PartyKind(row["kind"]), row["rfc"], row["name"])
