"""What may be told, scoped by organization."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from certpipe.core.ports.doors import Progress
from certpipe.store.database import Database, Record
from certpipe.store.documents import facts_of, history_of, receipts_of, views_of
from certpipe.store.named import queries
from schemas.base import Kind
from schemas.status import CertificatePage, CheckReport, State, StoredCertificate, UploadPage, UploadStatus

_SQL = queries("statuses")
_BEFORE_THE_FIRST = UUID(int=2**128 - 1)
_VERDICTS = {State.VALIDATED: "valid", State.REJECTED: "rejected", State.FAILED: "failed"}


@dataclass(frozen=True, slots=True)
class StoreStatuses:
    """Statuses over the store. The verdict of a check whose every try broke off is `failed`."""

    database: Database

    async def upload(self, upload_id: UUID, organization_ids: Sequence[UUID]) -> UploadStatus | None:
        row = await self.database.fetchrow(_SQL["upload"], upload_id, list(organization_ids))
        return None if row is None else _status(row)

    async def uploads(
        self,
        organization_ids: Sequence[UUID],
        *,
        party_id: UUID | None,
        state: State | None,
        cursor: UUID | None,
        limit: int,
    ) -> UploadPage:
        # One more than is wanted tells whether another page follows.
        wanted = list(set(organization_ids)), state, cursor or _BEFORE_THE_FIRST, limit + 1
        if party_id is None:
            rows = await self.database.fetch(_SQL["uploads_by_organization"], *wanted)
        else:
            rows = await self.database.fetch(_SQL["uploads_by_party"], *wanted, party_id)
        return UploadPage(items=tuple(_status(row) for row in rows[:limit]), next=_next(rows, limit))

    async def certificate(self, certificate_id: UUID, organization_ids: Sequence[UUID]) -> StoredCertificate | None:
        row = await self.database.fetchrow(_SQL["certificate"], certificate_id, list(organization_ids))
        return None if row is None else certificate_of(row)

    async def active_certificate(
        self, party_id: UUID, kind: Kind, organization_ids: Sequence[UUID]
    ) -> StoredCertificate | None:
        row = await self.database.fetchrow(_SQL["active_certificate"], party_id, kind, list(organization_ids))
        return None if row is None else certificate_of(row)

    async def certificates(
        self, organization_ids: Sequence[UUID], *, party_id: UUID | None, cursor: UUID | None, limit: int
    ) -> CertificatePage:
        wanted = list(set(organization_ids)), cursor or _BEFORE_THE_FIRST, limit + 1
        if party_id is None:
            rows = await self.database.fetch(_SQL["certificates_by_organization"], *wanted)
        else:
            rows = await self.database.fetch(_SQL["certificates_by_party"], *wanted, party_id)
        return CertificatePage(items=tuple(certificate_of(row) for row in rows[:limit]), next=_next(rows, limit))

    async def take_check(self, upload_id: UUID) -> CheckReport | None:
        row = await self.database.fetchrow(_SQL["take_check"], upload_id)
        if row is None:
            return None
        return CheckReport(
            verdict=_VERDICTS[State(row["state"])],
            problems=views_of(row["problems"]),
            warnings=views_of(row["warnings"]),
            certificate=facts_of(row["facts"]),
        )

    async def sequences(self, upload_ids: Sequence[UUID]) -> Mapping[UUID, Progress]:
        rows = await self.database.fetch(_SQL["sequences"], list(upload_ids))
        return {row["id"]: Progress(row["epoch"], row["ended"], State(row["state"])) for row in rows}


def _next(rows: Sequence[Record], limit: int) -> str | None:
    return str(rows[limit - 1]["id"]) if len(rows) > limit else None


def _status(row: Record) -> UploadStatus:
    return UploadStatus(
        id=row["id"],
        organization_id=row["organization_id"],
        party_id=row["party_id"],
        kind=Kind(row["kind"]),
        state=State(row["state"]),
        ended=row["ended"],
        sequence=row["epoch"],
        attempt=row["attempt"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        next_attempt_at=row["next_at"] if row["attempt"] > 0 else None,
        certificate_id=row["certificate_id"],
        certificate=None if row["facts"] is None else facts_of(row["facts"]),
        problems=views_of(row["problems"]),
        warnings=views_of(row["warnings"]),
        receipts=receipts_of(row["receipts"]),
        history=history_of(row["history"]),
        links={"self": f"/v1/uploads/{row['id']}"},
    )


def certificate_of(row: Record) -> StoredCertificate:
    """One version, as it is shown."""
    return StoredCertificate(
        id=row["id"],
        organization_id=row["organization_id"],
        party_id=row["party_id"],
        upload_id=row["upload_id"],
        version=row["version"],
        active=row["replaced_at"] is None,
        stored_at=row["stored_at"],
        replaced_at=row["replaced_at"],
        removed_at=row["removed_at"],
        facts=facts_of(row["facts"]),
    )
