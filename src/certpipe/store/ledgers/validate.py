"""The ledger of validate."""

from collections.abc import Sequence
from dataclasses import dataclass

from certpipe.core.ports.runtime import Loaded, Outcome
from certpipe.core.uploads import Received, Validated
from certpipe.store.database import Database, Record
from certpipe.store.hinting import Hinter
from certpipe.store.named import queries
from certpipe.store.records import box_of, ref_of
from certpipe.store.rows import pairs
from certpipe.store.settling import settle
from schemas.base import Kind
from schemas.messages import UploadRef
from schemas.status import Stage

_LOAD = queries("load")["received"]


@dataclass(frozen=True, slots=True)
class ValidateLedger:
    """Received → validated. A check ends here: its box goes, and nothing waits for another stage."""

    database: Database
    hinter: Hinter

    async def load(self, refs: Sequence[UploadRef], /) -> Sequence[Loaded[Received]]:
        return [_loaded(row) for row in await self.database.fetch(_LOAD, *pairs(refs))]

    async def settle(self, outcomes: Sequence[Outcome[Validated]], /) -> Sequence[UploadRef]:
        return await settle(self.database, self.hinter, Stage.VALIDATE, outcomes)


def _loaded(row: Record) -> Loaded[Received]:
    ref = ref_of(row)
    kind = None if row["kind"] is None else Kind(row["kind"])
    return Loaded(
        Received(ref, row["organization_id"], kind, row["rfc"], box_of(row)), ref, row["attempt"], row["defects"]
    )
