"""The ledger of persist."""

from collections.abc import Sequence
from dataclasses import dataclass

from certpipe.core.ports.runtime import Loaded, Outcome
from certpipe.core.uploads import Encrypted, Stored
from certpipe.store.database import Database, Record
from certpipe.store.documents import facts_of
from certpipe.store.hinting import Hinter
from certpipe.store.named import queries
from certpipe.store.records import ref_of, with_parts
from certpipe.store.rows import pairs
from certpipe.store.settling import SETTLE, arguments, following
from schemas.messages import UploadRef
from schemas.status import Stage

_LOAD = queries("load")["encrypted"]


@dataclass(frozen=True, slots=True)
class PersistLedger:
    """Encrypted → stored: the new version is the active one, the old one is replaced, the box is gone.

    By order of acceptance the newest of a party and kind wins; one that comes late ends as `superseded`.
    """

    database: Database
    hinter: Hinter

    async def load(self, refs: Sequence[UploadRef], /) -> Sequence[Loaded[Encrypted]]:
        rows = await self.database.fetch(_LOAD, *pairs(refs))
        return [
            Loaded(
                Encrypted(ref_of(row), row["organization_id"], row["certificate_id"], facts_of(row["facts"]), parts),
                ref_of(row),
                row["attempt"],
                row["defects"],
            )
            for row, parts in with_parts(rows)
        ]

    async def settle(self, outcomes: Sequence[Outcome[Stored]], /) -> Sequence[UploadRef]:
        if not outcomes:
            return ()
        moved = await self._moved(outcomes)
        return following(Stage.PERSIST, moved, self.hinter)

    async def _moved(self, outcomes: Sequence[Outcome[Stored]]) -> Sequence[Record]:
        async with self.database.transaction() as session:
            await session.execute(SETTLE["lock_parties"], [outcome.ref.id for outcome in outcomes])
            return await session.fetch(SETTLE["settle_persist"], *arguments(Stage.PERSIST, outcomes))
