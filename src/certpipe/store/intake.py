"""Where a 202 is earned: one durable statement."""

from dataclasses import dataclass

import asyncpg

from certpipe.core.errors import Rejected, Unavailable
from certpipe.core.ports.doors import (
    Accepted,
    IdempotencyClaim,
    IdempotencyConflictError,
    IdempotencyInFlightError,
    NewUpload,
)
from certpipe.store.database import Database
from certpipe.store.named import queries
from certpipe.store.problems import DATABASE_UNAVAILABLE, TARGET_NOT_FOUND
from schemas.messages import UploadRef

_SQL = queries("intake")


@dataclass(frozen=True, slots=True)
class StoreIntake:
    """Intake over the store.

    Raises `Rejected` (`target_not_found`) for a party or organization that is not there, too. A check has no use for an
    idempotency key: it changes nothing, and is deleted with its report.
    """

    database: Database

    async def accept(self, upload: NewUpload, /) -> Accepted:
        claim = None if upload.check else upload.idempotency
        if await self._inserted(upload, claim):
            return Accepted(UploadRef(id=upload.id, epoch=0), replayed=False)
        return await self._known(upload, claim)

    async def _inserted(self, upload: NewUpload, claim: IdempotencyClaim | None) -> bool:
        try:
            row = await self.database.fetchrow(
                _SQL["accept"],
                upload.id,
                upload.organization_id,
                upload.party_id,
                upload.kind,
                upload.rfc,
                upload.door,
                upload.submitted_by,
                upload.check,
                upload.box.format,
                upload.box.kid,
                upload.box.ciphertext,
                None if claim is None else claim.key_hash,
                None if claim is None else claim.fingerprint,
            )
        except asyncpg.ForeignKeyViolationError as error:
            raise Rejected(TARGET_NOT_FOUND) from error
        except Unavailable as error:
            if claim is not None and isinstance(error.__cause__, asyncpg.LockNotAvailableError):
                raise IdempotencyInFlightError from error
            raise
        return row is not None

    async def _known(self, upload: NewUpload, claim: IdempotencyClaim | None) -> Accepted:
        """The upload that the key, or else the id, stands for."""
        row = await self.database.fetchrow(
            _SQL["known"],
            upload.id,
            upload.organization_id,
            None if claim is None else claim.fingerprint,
            None if claim is None else claim.key_hash,
            upload.party_id,
            upload.kind,
            upload.check,
        )
        if row is None or row["id"] is None:
            raise Unavailable(DATABASE_UNAVAILABLE)  # it was swept in between: the next try finds no trace of it
        same = row["same_target"] if row["same_content"] is None else row["same_content"]
        if not (same and row["same_organization"]):
            raise IdempotencyConflictError
        return Accepted(UploadRef(id=row["id"], epoch=row["epoch"]), replayed=True)
