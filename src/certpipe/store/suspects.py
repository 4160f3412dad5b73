"""Uploads that a process may have died of: they go alone, a few at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from certpipe.core.ports.runtime import Suspect
from certpipe.core.states import WAITS_FOR
from certpipe.store.database import Database
from certpipe.store.named import queries
from certpipe.store.records import ref_of
from certpipe.store.rows import pairs
from schemas.messages import UploadRef
from schemas.status import State

_SQL = queries("suspects")
AT_ONCE: Final = 4
"""Suspects of one stage on their way to a process of their own: less than a worker may have in hand."""
_OTHERS: Final = 500


@dataclass(frozen=True, slots=True)
class StoreSuspects:
    """The suspects over the store."""

    database: Database

    async def suspect(self, refs: Sequence[UploadRef], *, deaths: int) -> None:
        if refs:
            await self.database.execute(_SQL["suspect"], *pairs(refs), deaths)

    async def due(self) -> Sequence[Suspect]:
        await self.database.execute(_SQL["forget"])
        rows = await self.database.fetch(_SQL["due"], AT_ONCE, _OTHERS)
        return [Suspect(WAITS_FOR[State(row["state"])], ref_of(row), row["deaths"]) for row in rows]

    async def dispatched(self, refs: Sequence[UploadRef]) -> None:
        await self.database.execute(_SQL["dispatched"], *pairs(refs))

    async def redrive(self) -> int:
        row = await self.database.fetchrow(_SQL["redrive"])
        return 0 if row is None else int(row["due"])
