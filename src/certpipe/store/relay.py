"""Giving events their places."""

from dataclasses import dataclass
from datetime import datetime

from certpipe.core.ports.events import Placed
from certpipe.store.database import Database
from certpipe.store.hinting import Hinter
from certpipe.store.named import queries

_SQL = queries("feed")
_LOCK = 0x6365_7274_706C_6163  # of the whole database, for whoever gives places


@dataclass(frozen=True, slots=True)
class StoreRelay:
    """The relay over the store. What was placed is hinted."""

    database: Database
    hinter: Hinter

    async def place(self, limit: int, now: datetime) -> Placed:
        async with self.database.transaction() as session:
            await session.execute(_SQL["lock_places"], _LOCK)
            row = await session.fetchrow(_SQL["place"], limit, now)
        if row is None or not row["events"]:
            return Placed(0, frozenset())
        self.hinter.hint()
        return Placed(row["events"], frozenset(row["endpoints"]))
