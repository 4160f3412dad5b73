"""How far the relays of the feed have come."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from certpipe.store.database import Database
from certpipe.store.named import queries

_SQL = queries("cursors")


@dataclass(frozen=True, slots=True)
class StoreCursors:
    """The cursors over the store."""

    database: Database

    async def take(self, name: str, owner: UUID, now: datetime, until: datetime) -> int | None:
        row = await self.database.fetchrow(_SQL["take"], name, owner, now, until)
        return None if row is None else row["position"]

    async def advance(self, name: str, owner: UUID, position: int) -> bool:
        return await self.database.fetchrow(_SQL["advance"], name, owner, position) is not None
