"""Where a 202 is earned: one durable statement for all that arrive together."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import asyncpg

from certpipe.core.errors import Rejected, Unavailable
from certpipe.core.ports.doors import (
    Accepted,
    IdempotencyConflictError,
    IdempotencyInFlightError,
    NewUpload,
)
from certpipe.core.problems import TARGET_NOT_FOUND
from certpipe.store.database import Database
from certpipe.store.documents import storable
from certpipe.store.named import queries
from certpipe.store.problems import DATABASE_UNAVAILABLE
from certpipe.store.together import Together
from schemas.messages import UploadRef

_SQL = queries("intake")
_MOST = 64
_AT_ONCE = 2


class StoreIntake:
    """Intake over the store.

    Raises `Rejected` (`target_not_found`) for a party or organization that is not there, too. A check has no use for an
    idempotency key: it changes nothing, and is deleted with its report.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._together = Together(self._accept, most=_MOST, at_once=_AT_ONCE)

    async def accept(self, upload: NewUpload, /) -> Accepted:
        return await self._together(upload)

    async def _accept(self, uploads: Sequence[NewUpload]) -> Sequence[Accepted | Exception]:
        """All in one statement; one by one when one of them spoils it, or two compete for one entry."""
        if not _one_per_entry(uploads):
            return [(await self._accept([upload]))[0] for upload in uploads]
        try:
            inserted = await self._insert(uploads)
        except (asyncpg.PostgresError, asyncpg.DataError, Unavailable) as error:
            if len(uploads) == 1:
                return [_meaning(error, uploads[0])]
            if isinstance(error, Unavailable) and not _spoilt_by_one(error):
                return [error] * len(uploads)
            alone = await asyncio.gather(*(self._accept([upload]) for upload in uploads))
            return [result for (result,) in alone]
        return [
            Accepted(UploadRef(id=upload.id, epoch=0), replayed=False)
            if upload is inserted.get(upload.id) and inserted.pop(upload.id)
            else await self._known(upload)
            for upload in uploads
        ]

    async def _insert(self, uploads: Sequence[NewUpload]) -> dict[UUID, NewUpload]:
        """Those that are new, by id; of several with one id the first counts."""
        first = {upload.id: upload for upload in reversed(uploads)}
        rows = [(*_row(upload), *_key(upload)) for upload in reversed(first.values())]
        columns = zip(*rows, strict=True)
        entries = [upload.party_id for upload in first.values() if upload.awaited]
        if entries:
            async with self._database.transaction() as session:
                await session.execute(_SQL["lock_entries"], entries)
                inserted = await session.fetch(_SQL["accept"], *columns)
        else:
            inserted = list(await self._database.fetch(_SQL["accept"], *columns))
        return {row["id"]: first[row["id"]] for row in inserted}

    async def _known(self, upload: NewUpload) -> Accepted | Exception:
        """The upload that the key, or else the id, stands for."""
        key_hash, fingerprint = _key(upload)
        try:
            row = await self._database.fetchrow(
                _SQL["known"],
                upload.id,
                upload.organization_id,
                fingerprint,
                key_hash,
                upload.party_id,
                upload.kind,
                upload.check,
            )
        except Unavailable as error:
            return error
        if upload.awaited and (row is None or row["id"] is None):
            return Rejected(TARGET_NOT_FOUND)
        if row is None or row["id"] is None:
            return Unavailable(DATABASE_UNAVAILABLE)  # it was swept in between: the next try finds no trace of it
        same = row["same_target"] if row["same_content"] is None else row["same_content"]
        if not (same and row["same_organization"]):
            return IdempotencyConflictError()
        return Accepted(UploadRef(id=row["id"], epoch=row["epoch"]), replayed=True)


def _key(upload: NewUpload) -> tuple[bytes | None, bytes | None]:
    """Hash and fingerprint of the key, if it counts."""
    claim = None if upload.check else upload.idempotency
    return (None, None) if claim is None else (claim.key_hash, claim.fingerprint)


def _row(upload: NewUpload) -> tuple[object, ...]:
    return (
        upload.id,
        upload.organization_id,
        upload.party_id,
        upload.kind,
        None if upload.rfc is None else storable(upload.rfc),
        upload.door,
        storable(upload.submitted_by),
        upload.check,
        upload.box.format,
        storable(upload.box.kid),
        upload.box.ciphertext,
        upload.awaited,
        *_follower(upload),
    )


def _follower(upload: NewUpload) -> tuple[str | None, str | None]:
    """Where to tell of it, and as what."""
    wanted = upload.follower
    if wanted is None:
        return None, None
    name = wanted.correlation_id
    return storable(wanted.reply_to), None if name is None else storable(name)


def _one_per_entry(uploads: Sequence[NewUpload]) -> bool:
    """Whether no two of them must be awaited by the same entry: only one of those can be."""
    entries = [upload.party_id for upload in uploads if upload.awaited]
    return len(entries) == len(set(entries))


def _spoilt_by_one(error: Unavailable) -> bool:
    return isinstance(error.__cause__, asyncpg.LockNotAvailableError | asyncpg.DeadlockDetectedError)


def _meaning(error: Exception, upload: NewUpload) -> Exception:
    """What an error says of the one upload that met it."""
    if isinstance(error, asyncpg.ForeignKeyViolationError):
        return Rejected(TARGET_NOT_FOUND)
    if isinstance(error.__cause__, asyncpg.LockNotAvailableError) and _key(upload)[0] is not None:
        return IdempotencyInFlightError()
    return error
