"""A migrated database with everything that the store offers, and the shortest way of an upload through it."""

import os
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from certpipe.core.clock import SystemClock
from certpipe.core.ids import uuid7
from certpipe.core.ports.directory import Organization, Party, PartyKind
from certpipe.core.ports.doors import Follower, IdempotencyClaim, NewUpload
from certpipe.core.ports.runtime import Advanced, Parked, Postponed, Refused
from certpipe.core.problems import Problem
from certpipe.core.uploads import (
    Box,
    Encrypted,
    Forwarded,
    Part,
    Receipt,
    Stored,
    Validated,
    WrappedPart,
)
from certpipe.store.backlog import StoreBacklog
from certpipe.store.database import Database, Record
from certpipe.store.directory import StoreDirectory
from certpipe.store.hinting import Hinter
from certpipe.store.intake import StoreIntake
from certpipe.store.ledgers import EncryptLedger, ForwardLedger, PersistLedger, ValidateLedger
from certpipe.store.migrate import migrate
from certpipe.store.removal import StoreRemovals
from certpipe.store.services import StoreServices
from certpipe.store.statuses import StoreStatuses
from schemas.base import Kind
from schemas.messages import UploadRef
from schemas.status import CertificateFacts
from schemas.upload import SealFormat

PROBLEM = Problem("wrong_password", "La contraseña no abre la llave", "The password does not open the key")
AWAY = Problem("provider_unavailable", "El PAC no responde", "The PAC does not answer", status=503)
FACTS = CertificateFacts(number="30001000000500003416", rfc="EKU9003173C9", legal_name="ESCUELA KEMPER ÑÁÜ")
BOX = Box(SealFormat.HPKE, "intake-1", b"\x00sealed\xff")


@dataclass
class Storehouse:
    """The store over one database, with one organization and one party."""

    url: str
    database: Database
    hinter: Hinter
    backlog: StoreBacklog
    organization: Organization = field(default_factory=lambda: Organization(uuid7(), "EKU9003173C9", "Kemper"))
    party: Party = field(init=False)

    def __post_init__(self) -> None:
        self.party = Party(uuid7(), self.organization.id, PartyKind.ENTRY, "EKU9003173C9", "Kemper")
        self.intake = StoreIntake(self.database)
        self.directory = StoreDirectory(self.database)
        self.statuses = StoreStatuses(self.database)
        self.removals = StoreRemovals(self.database, self.hinter)
        self.services = StoreServices(self.database)
        self.validate = ValidateLedger(self.database, self.hinter)
        self.encrypt = EncryptLedger(self.database, self.hinter)
        self.persist = PersistLedger(self.database, self.hinter)
        self.forward = ForwardLedger(self.database, self.hinter, {Kind.CSD: ("sw",), Kind.FIEL: ("efisco", "sw")})

    def new(
        self,
        *,
        kind: Kind = Kind.CSD,
        check: bool = False,
        party: UUID | None = None,
        claim: IdempotencyClaim | None = None,
        id: UUID | None = None,  # noqa: A002 - the field's name
        follower: Follower | None = None,
    ) -> NewUpload:
        return NewUpload(
            id=id or uuid7(),
            organization_id=self.organization.id,
            party_id=party or self.party.id,
            kind=kind,
            rfc="EKU9003173C9",
            door="http",
            submitted_by="somebody",
            box=BOX,
            check=check,
            idempotency=claim,
            follower=follower,
        )

    async def accepted(self, count: int = 1, *, kind: Kind = Kind.CSD, party: UUID | None = None) -> list[UploadRef]:
        return [(await self.intake.accept(self.new(kind=kind, party=party))).ref for _ in range(count)]

    async def validated(self, count: int = 1, *, kind: Kind = Kind.CSD, party: UUID | None = None) -> list[UploadRef]:
        refs = await self.accepted(count, kind=kind, party=party)
        return in_order(refs, await self.validate.settle([self.proved(ref) for ref in refs]))

    async def encrypted(self, count: int = 1, *, kind: Kind = Kind.CSD, party: UUID | None = None) -> list[UploadRef]:
        refs = await self.validated(count, kind=kind, party=party)
        return in_order(refs, await self.encrypt.settle([self.wrapped(ref) for ref in refs]))

    async def stored(self, *, kind: Kind = Kind.CSD, party: UUID | None = None) -> UploadRef:
        (ref,) = await self.encrypted(kind=kind, party=party)
        (ref,) = await self.persist.settle([await self.kept(ref)])
        return ref

    def proved(self, ref: UploadRef, facts: CertificateFacts = FACTS) -> Advanced[Validated]:
        return Advanced(ref, Validated(ref, self.organization.id, BOX, facts, (PROBLEM.about("password"),)))

    def wrapped(self, ref: UploadRef) -> Advanced[Encrypted]:
        return Advanced(ref, Encrypted(ref, self.organization.id, uuid7(), FACTS, tuple(wrapped_parts())))

    async def kept(self, ref: UploadRef) -> Advanced[Stored]:
        (loaded,) = await self.persist.load([ref])
        made = loaded.upload
        return Advanced(ref, Stored(ref, made.organization_id, made.certificate_id, made.facts, made.parts))

    async def row(self, upload_id: UUID) -> Record:
        row = await self.database.fetchrow(
            "SELECT *, state::text AS state, extract(epoch FROM due_at - now())::float8 AS due_in "
            "FROM certpipe.uploads WHERE id = $1",
            upload_id,
        )
        assert row is not None
        return row

    async def count(self, table: str, condition: str = "true", *arguments: object) -> int:
        row = await self.database.fetchrow(f"SELECT count(*) FROM certpipe.{table} WHERE {condition}", *arguments)  # noqa: S608
        assert row is not None
        return int(row["count"])

    async def events(self, upload_id: UUID) -> list[tuple[int, str, str | None, str | None]]:
        rows = await self.database.fetch(
            "SELECT sequence, type, stage, code FROM certpipe.events WHERE subject_id = $1 ORDER BY sequence", upload_id
        )
        return [tuple(row) for row in rows]

    async def make_due(self, *ids: UUID) -> None:
        await self.database.execute(
            "UPDATE certpipe.uploads SET due_at = now() - interval '1 second' WHERE id = ANY ($1)", list(ids)
        )


@asynccontextmanager
async def storehouse(url: str) -> AsyncIterator[Storehouse]:
    """Migrated, with the organization and the party in it."""
    await migrate(url)
    database = await Database.open(url)
    house = Storehouse(url, database, Hinter(database, SystemClock()), StoreBacklog(database, SystemClock()))
    await house.directory.put_organization(house.organization, owner="owner")
    await house.directory.put_party(house.party)
    try:
        yield house
    finally:
        await house.backlog.close()
        await house.hinter.close()
        await database.close()


def wrapped_parts() -> Iterable[WrappedPart]:
    """Three parts, each different."""
    for part in Part:
        yield WrappedPart(
            part, 1, os.urandom(40), os.urandom(12), os.urandom(32), part.encode() + os.urandom(4), "local", 3
        )


def receipt(destination: str = "sw", reference: str | None = "ref-1") -> Receipt:
    return Receipt(destination, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "answer", reference)


def forwarded(ref: UploadRef, *receipts: Receipt) -> Advanced[Forwarded]:
    return Advanced(ref, Forwarded(ref, receipts or (receipt(),)))


def refused(ref: UploadRef, destination: str | None = None) -> Refused:
    return Refused(ref, (PROBLEM,), FACTS, (AWAY,), destination)


def postponed(ref: UploadRef, delay: float = 60.0, destination: str | None = None) -> Postponed:
    return Postponed(ref, AWAY, delay, destination)


def parked(ref: UploadRef, destination: str | None = None) -> Parked:
    return Parked(ref, AWAY, destination)


def in_order(refs: Sequence[UploadRef], moved: Sequence[UploadRef]) -> list[UploadRef]:
    """`moved` in the order of `refs`; all must be there."""
    by_id: dict[UUID, Any] = {ref.id: ref for ref in moved}
    return [by_id[ref.id] for ref in refs]
