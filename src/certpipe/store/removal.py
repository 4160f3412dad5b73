"""Taking a stored certificate away."""

from dataclasses import dataclass
from uuid import UUID

from certpipe.store.database import Database
from certpipe.store.hinting import Hinter
from certpipe.store.named import queries
from certpipe.store.statuses import certificate_of
from schemas.base import Kind
from schemas.status import StoredCertificate

_SQL = queries("removal")


@dataclass(frozen=True, slots=True)
class StoreRemovals:
    """Removals over the store."""

    database: Database
    hinter: Hinter

    async def remove(self, party_id: UUID, kind: Kind, /) -> StoredCertificate | None:
        async with self.database.transaction() as session:
            await session.execute(_SQL["lock_party"], party_id)
            row = await session.fetchrow(_SQL["remove"], party_id, kind)
        if row is None:
            return None
        self.hinter.hint()
        return certificate_of(row)
