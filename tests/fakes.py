"""The ports that doors need, in memory: small, honest, and switchable into failure."""

import asyncio
import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from certpipe.core.bundle import Bundle
from certpipe.core.errors import Rejected, Unavailable
from certpipe.core.ports.broker import Delivery, Message, Settlement
from certpipe.core.ports.directory import Organization, Party, PartyKind, Producer, Role
from certpipe.core.ports.doors import (
    Accepted,
    IdempotencyConflictError,
    IdempotencyInFlightError,
    NewUpload,
    Progress,
)
from certpipe.core.problems import Problem
from certpipe.core.uploads import Box, BoxBinding
from schemas.base import Kind
from schemas.directory import EntryState
from schemas.events import EventType
from schemas.messages import UploadRef
from schemas.services import ServiceState, ServiceView
from schemas.status import (
    CertificateFacts,
    CertificatePage,
    CheckReport,
    HistoryEntry,
    ProblemView,
    Stage,
    State,
    StoredCertificate,
    UploadPage,
    UploadStatus,
)
from schemas.upload import SealFormat

AWAY = Problem("database_unavailable", "La base de datos no está", "The database is away", status=503)
ENDS = {State.FORWARDED, State.REJECTED, State.FAILED, State.SUPERSEDED}


AT = datetime(2026, 6, 1, tzinfo=UTC)
STEPS = {
    State.VALIDATED: EventType.VALIDATED,
    State.ENCRYPTED: EventType.ENCRYPTED,
    State.STORED: EventType.STORED,
    State.FORWARDED: EventType.FORWARDED,
    State.REJECTED: EventType.REJECTED,
    State.FAILED: EventType.FAILED,
    State.SUPERSEDED: EventType.SUPERSEDED,
}


class HandClock:
    """Time that tests move: `now` stands still, and a wait ends when it is let go or `until` is set."""

    def __init__(self, at: datetime = datetime(2026, 6, 1, tzinfo=UTC)) -> None:
        self.at = at
        self.waits: list[float] = []
        self._waiting: set[tuple[float, asyncio.Event]] = set()

    def now(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def tick_shorter_than(self, seconds: float) -> None:
        """Let every present wait run out that is shorter."""
        for length, over in self._waiting:
            if length < seconds:
                over.set()

    async def wait(self, seconds: float, *, until: asyncio.Event | None = None) -> bool:
        self.waits.append(seconds)
        entry = (seconds, asyncio.Event())
        self._waiting.add(entry)
        watched = [asyncio.create_task(event.wait()) for event in (entry[1], until) if event is not None]
        try:
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting.discard(entry)
            for task in watched:
                task.cancel()
        return until is not None and until.is_set()


class PlainSealer:
    """Seals nothing: the box holds the bundle readably, so that a test can look into it."""

    def seal(self, bundle: Bundle, binding: BoxBinding, /) -> Box:
        content = {
            "certificate": base64.b64encode(bundle.certificate).decode(),
            "private_key": base64.b64encode(bundle.private_key).decode(),
            "password": bundle.password,
            "upload_id": str(binding.upload_id),
        }
        return Box(SealFormat.HPKE, "intake-1", json.dumps(content).encode())


@dataclass
class MemoryDirectory:
    """The port `Directory`."""

    known: dict[UUID, Organization] = field(default_factory=dict)
    members: dict[str, dict[UUID, Role]] = field(default_factory=dict)
    known_parties: dict[UUID, Party] = field(default_factory=dict)
    producers: dict[str, Producer] = field(default_factory=dict)
    entries: dict[UUID, EntryState] = field(default_factory=dict)
    questions: int = 0

    async def put_organization(self, organization: Organization, *, owner: str) -> bool:
        created = organization.id not in self.known
        self.known[organization.id] = organization
        if created:
            self.members.setdefault(owner, {})[organization.id] = Role.OWNER
        return created

    async def organization(self, organization_id: UUID) -> Organization | None:
        return self.known.get(organization_id)

    async def organizations(self, subject: str) -> Sequence[Organization]:
        return [self.known[each] for each in self.members.get(subject, {})]

    async def roles(self, subject: str) -> Mapping[UUID, Role]:
        self.questions += 1
        return dict(self.members.get(subject, {}))

    async def put_party(self, party: Party) -> bool:
        before = self.known_parties.get(party.id)
        if before is not None and before.organization_id != party.organization_id:
            raise Rejected(Problem("target_not_found", "No existe", "Not found", status=404))
        self.known_parties[party.id] = party
        return before is None

    async def party(self, party_id: UUID) -> Party | None:
        self.questions += 1
        return self.known_parties.get(party_id)

    async def void_party(self, party_id: UUID) -> bool:
        self.entries[party_id] = EntryState.VOID
        return self.known_parties[party_id].kind is PartyKind.ENTRY

    async def entry_states(self, party_ids: Sequence[UUID]) -> Mapping[UUID, EntryState]:
        return {each: self.entries.get(each, EntryState.WAITING) for each in party_ids}

    async def parties(self, organization_ids: Sequence[UUID]) -> Sequence[Party]:
        return [each for each in self.known_parties.values() if each.organization_id in set(organization_ids)]

    async def put_producer(self, producer: Producer) -> None:
        self.producers[producer.user] = producer

    async def producer(self, user: str) -> Producer | None:
        self.questions += 1
        return self.producers.get(user)


@dataclass
class MemoryStore:
    """The ports `Intake`, `Statuses` and `Backlog` over dictionaries.

    `away` makes every call fail; `in_flight` makes an idempotency key busy; `on_accept` sees each upload as it comes.
    """

    rows: dict[UUID, NewUpload] = field(default_factory=dict)
    states: dict[UUID, tuple[State, int]] = field(default_factory=dict)
    keys: dict[tuple[UUID, bytes], tuple[bytes, UUID]] = field(default_factory=dict)
    kept: dict[UUID, StoredCertificate] = field(default_factory=dict)
    reports: dict[UUID, CheckReport] = field(default_factory=dict)
    steps: dict[UUID, list[HistoryEntry]] = field(default_factory=dict)
    problems: dict[UUID, tuple[ProblemView, ...]] = field(default_factory=dict)
    facts: CertificateFacts = field(default_factory=CertificateFacts)
    looks: list[frozenset[UUID]] = field(default_factory=list)
    away: bool = False
    in_flight: bool = False
    waiting: int = 0
    waiting_of: dict[UUID, int] = field(default_factory=dict)
    on_accept: Callable[[NewUpload], None] = lambda _: None

    def _answer(self) -> None:
        if self.away:
            raise Unavailable(AWAY)

    async def accept(self, upload: NewUpload, /) -> Accepted:
        self._answer()
        if self.in_flight:
            raise IdempotencyInFlightError
        claim = upload.idempotency
        if claim is not None:
            known = self.keys.setdefault((upload.organization_id, claim.key_hash), (claim.fingerprint, upload.id))
            if known[0] != claim.fingerprint:
                raise IdempotencyConflictError
            if known[1] in self.rows:
                return Accepted(UploadRef(id=known[1], epoch=0), replayed=True)
        if upload.id in self.rows:
            raise IdempotencyConflictError
        if upload.awaited and any(each.party_id == upload.party_id for each in self.rows.values()):
            raise Rejected(Problem("target_not_found", "No existe", "Not found", status=404))
        self.rows[upload.id] = upload
        self.states[upload.id] = (State.RECEIVED, 0)
        self.on_accept(upload)
        return Accepted(UploadRef(id=upload.id, epoch=0), replayed=False)

    def move(self, upload_id: UUID, state: State) -> None:
        """One step of an upload; one that is stored has its certificate."""
        sequence = self.states[upload_id][1] + 1
        self.states[upload_id] = (state, sequence)
        self.steps.setdefault(upload_id, []).append(HistoryEntry(sequence=sequence, type=STEPS[state], at=AT))
        if state is State.STORED:
            self.keep(self.rows[upload_id])

    def keep(self, row: NewUpload) -> None:
        """Store the certificate of an upload, in the place of the one before."""
        assert row.party_id is not None
        for each in self.kept.values():
            if each.party_id == row.party_id and each.active:
                self.kept[each.id] = each.model_copy(update={"active": False, "replaced_at": AT})
        self.kept[row.id] = StoredCertificate(
            id=row.id,
            organization_id=row.organization_id,
            party_id=row.party_id,
            upload_id=row.id,
            version=1,
            active=True,
            stored_at=AT,
            facts=self.facts,
        )

    async def upload(self, upload_id: UUID, organization_ids: Sequence[UUID]) -> UploadStatus | None:
        self._answer()
        row = self.rows.get(upload_id)
        if row is None or row.check or row.organization_id not in organization_ids:
            return None
        return self._status(row)

    def _status(self, row: NewUpload) -> UploadStatus:
        state, sequence = self.states[row.id]
        assert row.party_id is not None
        assert row.kind is not None
        return UploadStatus(
            id=row.id,
            organization_id=row.organization_id,
            party_id=row.party_id,
            kind=row.kind,
            state=state,
            ended=state in ENDS,
            sequence=sequence,
            attempt=0,
            created_at=AT,
            updated_at=AT,
            certificate_id=row.id if row.id in self.kept else None,
            problems=self.problems.get(row.id, ()),
            history=tuple(self.steps.get(row.id, ())),
        )

    async def uploads(
        self,
        organization_ids: Sequence[UUID],
        *,
        party_id: UUID | None,
        state: State | None,
        cursor: UUID | None,
        limit: int,
    ) -> UploadPage:
        self._answer()
        found = [
            self._status(row)
            for row in sorted(self.rows.values(), key=lambda row: row.id, reverse=True)
            if row.organization_id in organization_ids
            and not row.check
            and party_id in (None, row.party_id)
            and state in (None, self.states[row.id][0])
            and (cursor is None or row.id < cursor)
        ]
        following = str(found[limit - 1].id) if len(found) > limit else None
        return UploadPage(items=tuple(found[:limit]), next=following)

    async def certificate(self, certificate_id: UUID, organization_ids: Sequence[UUID]) -> StoredCertificate | None:
        self._answer()
        found = self.kept.get(certificate_id)
        return found if found is not None and found.organization_id in organization_ids else None

    async def active_certificate(
        self, party_id: UUID, kind: Kind, organization_ids: Sequence[UUID]
    ) -> StoredCertificate | None:
        self._answer()
        for each in self.kept.values():
            theirs = each.party_id == party_id and each.organization_id in organization_ids
            if theirs and each.active and self.rows[each.upload_id].kind is kind:
                return each
        return None

    async def remove(self, party_id: UUID, kind: Kind, /) -> StoredCertificate | None:
        found = await self.active_certificate(party_id, kind, [each.organization_id for each in self.kept.values()])
        if found is None:
            return None
        at = datetime(2026, 6, 2, tzinfo=UTC)
        self.kept[found.id] = found.model_copy(update={"active": False, "replaced_at": at, "removed_at": at})
        return self.kept[found.id]

    async def certificates(
        self, organization_ids: Sequence[UUID], *, party_id: UUID | None, cursor: UUID | None, limit: int
    ) -> CertificatePage:
        self._answer()
        found = [
            each
            for each in self.kept.values()
            if each.organization_id in organization_ids
            and party_id in (None, each.party_id)
            and (cursor is None or each.id < cursor)
        ]
        return CertificatePage(items=tuple(found[:limit]))

    async def take_check(self, upload_id: UUID) -> CheckReport | None:
        self._answer()
        return self.reports.pop(upload_id, None)

    async def sequences(self, upload_ids: Sequence[UUID]) -> Mapping[UUID, Progress]:
        self.looks.append(frozenset(upload_ids))
        self._answer()
        found = {}
        for upload_id in upload_ids:
            if upload_id in self.states:
                state, sequence = self.states[upload_id]
                found[upload_id] = Progress(sequence, state in ENDS or upload_id in self.reports, state)
        return found

    async def depth(self) -> int:
        self._answer()
        return self.waiting

    async def depth_of(self, organization_id: UUID) -> int:
        self._answer()
        return self.waiting_of.get(organization_id, 0)

    async def due(self, limit: int) -> Mapping[Stage, Sequence[UploadRef]]:
        return {Stage.VALIDATE: [UploadRef(id=each, epoch=0) for each in list(self.rows)[:limit]]}

    async def dispatched(self, refs: Sequence[UploadRef]) -> None:
        """Nothing is due twice here."""

    async def redrive(self) -> int:
        return 0

    async def release(self) -> None:
        """Nothing waits for a service here."""

    async def sweep(self) -> None:
        """Nothing grows old here."""


@dataclass
class MemoryServices:
    """The port `ServiceDesk`."""

    known: dict[str, ServiceView] = field(default_factory=dict)

    async def services(self) -> Sequence[ServiceView]:
        return list(self.known.values())

    async def reset(self, name: str) -> ServiceView | None:
        view = self.known.get(name)
        if view is not None:
            self.known[name] = view.model_copy(update={"state": ServiceState.CLOSED, "until": None, "openings": 0})
        return self.known.get(name)


class MemoryDispatcher:
    """The port `Dispatcher`: remembers."""

    def __init__(self) -> None:
        self.dispatched: list[tuple[Stage, UUID]] = []

    def dispatch(self, stage: Stage, refs: Sequence[UploadRef]) -> asyncio.Future[None]:
        self.dispatched += [(stage, ref.id) for ref in refs]
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done


class Bell:
    """The port `Hints`: rings when the test says so."""

    def __init__(self) -> None:
        self._heard: Callable[[], None] = lambda: None

    def ring(self) -> None:
        self._heard()

    async def listen(self, heard: Callable[[], None], stopping: asyncio.Event) -> None:
        self._heard = heard
        await stopping.wait()


class MemoryInbox:
    """The port `Inbox` over a list of deliveries; `settled` tells how each ended."""

    def __init__(self) -> None:
        self._waiting: list[Delivery] = []
        self._there = asyncio.Event()
        self._stopped = False
        self.settled: list[tuple[Delivery, Settlement]] = []
        self._changed = asyncio.Event()
        self._held: dict[int, Delivery] = {}

    def put(self, *deliveries: Delivery) -> None:
        self._waiting += deliveries
        self._there.set()

    async def receive(self, limit: int) -> Sequence[Delivery]:
        while not self._waiting and not self._stopped:
            self._there.clear()
            await self._there.wait()
        taken, self._waiting = self._waiting[:limit], self._waiting[limit:]
        self._held |= {id(delivery): delivery for delivery in taken}
        return taken

    def holds(self, delivery: Delivery) -> bool:
        return id(delivery) in self._held

    def cut(self) -> None:
        """The connection is gone: what was not settled comes again."""
        held, self._held = list(self._held.values()), {}
        self.put(*(replace(delivery, count=delivery.count + 1) for delivery in held))

    async def settle(self, deliveries: Sequence[Delivery], settlement: Settlement) -> None:
        deliveries = [delivery for delivery in deliveries if self._held.pop(id(delivery), None)]
        self.settled += [(delivery, settlement) for delivery in deliveries]
        self._changed.set()
        if settlement is Settlement.REQUEUE and not self._stopped:
            self.put(*(replace(delivery, count=delivery.count + 1) for delivery in deliveries))

    async def stop(self) -> None:
        self._stopped = True
        self._there.set()

    async def until_settled(self, count: int) -> None:
        """Wait until so many deliveries have ended."""
        while len(self.settled) < count:
            self._changed.clear()
            await self._changed.wait()


class MemoryPublisher:
    """The port `Publisher`: remembers; `away` makes it fail."""

    ready = True

    def __init__(self) -> None:
        self.published: list[Message] = []
        self.away = False

    async def publish(self, messages: Sequence[Message], /) -> None:
        if self.away:
            raise Unavailable(AWAY)
        self.published += messages
