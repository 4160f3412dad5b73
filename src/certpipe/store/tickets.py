"""One-time tickets."""

from dataclasses import dataclass
from datetime import datetime

from certpipe.store.database import Database
from certpipe.store.named import queries

_SQL = queries("tickets")


@dataclass(frozen=True, slots=True)
class StoreTickets:
    """The tickets over the store."""

    database: Database

    async def issue(self, digest: bytes, subject: str, *, now: datetime, expires_at: datetime) -> None:  # noqa: ARG002 - the port's
        await self.database.execute(_SQL["issue"], digest, subject, expires_at)

    async def take(self, digest: bytes, *, now: datetime) -> str | None:
        row = await self.database.fetchrow(_SQL["take"], digest, now)
        return row["subject"] if row is not None and row["valid"] else None
