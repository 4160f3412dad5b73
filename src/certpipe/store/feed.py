"""The feed: what was told, read again."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from certpipe.core.ports.events import Told
from certpipe.store.database import Database
from certpipe.store.events import told_of
from certpipe.store.named import queries

_SQL = queries("feed")


@dataclass(frozen=True, slots=True)
class StoreFeed:
    """The feed over the store."""

    database: Database

    async def last(self) -> int:
        row = await self.database.fetchrow(_SQL["last"])
        return 0 if row is None else row["last"] or 0

    async def after(self, position: int, limit: int) -> Sequence[Told]:
        return [told_of(row) for row in await self.database.fetch(_SQL["after"], position, limit)]

    async def of_organizations(self, organization_ids: Sequence[UUID], after: int, limit: int) -> Sequence[Told]:
        wanted = list(set(organization_ids)), after, limit
        return [told_of(row) for row in await self.database.fetch(_SQL["of_organizations"], *wanted)]

    async def of_upload(self, upload_id: UUID, after: int) -> Sequence[Told]:
        return [told_of(row) for row in await self.database.fetch(_SQL["of_upload"], upload_id, after)]
