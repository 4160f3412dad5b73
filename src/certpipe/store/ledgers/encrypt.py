"""The ledger of encrypt."""

from collections.abc import Sequence
from dataclasses import dataclass

from certpipe.core.ports.runtime import Advanced, Loaded, Outcome
from certpipe.core.uploads import Encrypted, Validated
from certpipe.store.database import Database, Record
from certpipe.store.documents import facts_of, problems_of
from certpipe.store.hinting import Hinter
from certpipe.store.named import queries
from certpipe.store.records import box_of, ref_of
from certpipe.store.rows import pairs
from certpipe.store.settling import settle
from schemas.messages import UploadRef
from schemas.status import Stage

_LOAD = queries("load")["validated"]
_COLUMNS = 9


@dataclass(frozen=True, slots=True)
class EncryptLedger:
    """Validated → encrypted, with its three parts. The box stays until the certificate is stored."""

    database: Database
    hinter: Hinter

    async def load(self, refs: Sequence[UploadRef], /) -> Sequence[Loaded[Validated]]:
        return [_loaded(row) for row in await self.database.fetch(_LOAD, *pairs(refs))]

    async def settle(self, outcomes: Sequence[Outcome[Encrypted]], /) -> Sequence[UploadRef]:
        return await settle(self.database, self.hinter, Stage.ENCRYPT, outcomes, *_parts(outcomes))


def _loaded(row: Record) -> Loaded[Validated]:
    ref = ref_of(row)
    facts, warnings = facts_of(row["facts"]), problems_of(row["warnings"])
    return Loaded(
        Validated(ref, row["organization_id"], box_of(row), facts, warnings), ref, row["attempt"], row["defects"]
    )


def _parts(outcomes: Sequence[Outcome[Encrypted]]) -> Sequence[Sequence[object]]:
    """The parts of all that advanced, as columns."""
    rows = [
        (
            outcome.out.certificate_id,
            part.part,
            part.version,
            part.ciphertext,
            part.nonce,
            part.commitment,
            part.wrapped_key,
            part.key_id,
            part.key_version,
        )
        for outcome in outcomes
        if isinstance(outcome, Advanced)
        for part in outcome.out.parts
    ]
    return list(zip(*rows, strict=True)) or [()] * _COLUMNS
