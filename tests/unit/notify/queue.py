"""The ports of telling in memory, and what is told."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from certpipe.core.clock import SystemClock
from certpipe.core.errors import Rejected, Unavailable
from certpipe.core.ids import uuid7
from certpipe.core.ports.events import Placed, Told
from certpipe.core.ports.webhooks import Attempted, Claimed, Health, SealedText, SigningKeys, Target
from certpipe.core.problems import INTERNAL
from certpipe.notify.sending import Sent, Signing
from schemas.events import Event, EventData, EventType
from schemas.webhooks import AttemptView, DeliveryState
from tests.fakes import AT, AWAY, HandClock

ORGANIZATION = UUID(int=7)
SEALED = SealedText("webhook-1.v1", b"sealed")


def told(
    position: int = 1,
    *,
    reply_to: str | None = None,
    organization: UUID = ORGANIZATION,
    kind: str = EventType.FORWARDED,
) -> Told:
    upload = UUID(int=position)
    return Told(
        position=position,
        organization_id=organization,
        upload_id=upload,
        event=Event(
            id=f"evt_{upload.hex}_1",
            type=kind,
            timestamp=AT,
            data=EventData(organization_id=organization, upload_id=upload, sequence=1),
        ),
        reply_to=reply_to,
        correlation_id=None if reply_to is None else f"mine-{position}",
    )


def target(
    endpoint_id: UUID | None = None,
    *,
    version: int = 1,
    changed_at: datetime = AT,
    failures: int = 0,
    failing_since: datetime | None = None,
    paused_until: datetime | None = None,
) -> Target:
    return Target(
        id=endpoint_id or uuid7(),
        version=version,
        changed_at=changed_at,
        url="https://receiver.example/hook",
        sealed=SEALED,
        headers=SEALED,
        previous=None,
        previous_until=None,
        failures=failures,
        failing_since=failing_since,
        paused_until=paused_until,
    )


def claimed(
    endpoint_id: UUID, position: int = 1, *, step: int = 0, version: int = 1, until: datetime | None = None
) -> Claimed:
    return Claimed(endpoint_id, version, told(position), step, step, until or AT + timedelta(seconds=60))


def answered(
    status: int | None, *, at: datetime = AT, error: str | None = None, retry_after: float | None = None
) -> Sent:
    """What came of an attempt; a status that is no 2xx did not count."""
    good = status is not None and status // 100 == 2
    return Sent(
        AttemptView(at=at, status=status, milliseconds=3, error=None if good else error or "status"), retry_after
    )


class Opener:
    """The port `EndpointOpener`; `refuses` makes every key unknown."""

    def __init__(self) -> None:
        self.refuses = False
        self.opened: list[UUID] = []

    def keys(self, endpoint_id: UUID, sealed: SealedText, /) -> SigningKeys:
        assert sealed == SEALED
        if self.refuses:
            raise Rejected(INTERNAL)
        self.opened.append(endpoint_id)
        return SigningKeys(bytes(32), bytes(32))

    def headers(self, endpoint_id: UUID, sealed: SealedText, /) -> Mapping[str, str]:
        assert endpoint_id
        assert sealed
        return {}


def signing() -> Signing:
    return Signing.of(target(), Opener())


@dataclass
class _Row:
    told: Told
    due_at: datetime | None
    state: DeliveryState = DeliveryState.PENDING
    attempt: int = 0
    step: int = 0
    log: list[AttemptView] = field(default_factory=list)


class MemoryDeliveries:
    """The port `Deliveries`. `away` makes every call fail; `changed` is set whenever something was settled."""

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self.targets_known: dict[UUID, Target] = {}
        self.disabled: dict[UUID, str] = {}
        self.rows: dict[tuple[UUID, int], _Row] = {}
        self.claims: list[Mapping[UUID, int]] = []
        self.settles: list[int] = []
        self.away = False
        self.tidied = 0
        self.breaks_on: int | None = None
        self.changed = asyncio.Event()
        self._positions = 0

    def add(self, endpoint: Target, count: int = 1) -> list[int]:
        """So many new events for it; their places."""
        self.targets_known.setdefault(endpoint.id, endpoint)
        places = []
        for _ in range(count):
            self._positions += 1
            self.rows[endpoint.id, self._positions] = _Row(told(self._positions), self.clock.now())
            places.append(self._positions)
        return places

    def of(self, endpoint: Target) -> list[_Row]:
        return [row for (endpoint_id, _), row in sorted(self.rows.items()) if endpoint_id == endpoint.id]

    def states(self, endpoint: Target) -> list[DeliveryState]:
        return [row.state for row in self.of(endpoint)]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something was settled that makes it true."""
        async with asyncio.timeout(30):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    def _answer(self) -> None:
        if self.away:
            raise Unavailable(AWAY)

    def _sendable(self, endpoint_id: UUID, now: datetime) -> bool:
        paused = self.targets_known[endpoint_id].paused_until
        return endpoint_id not in self.disabled and (paused is None or paused <= now)

    async def waiting(self, now: datetime) -> Sequence[UUID]:
        self._answer()
        due = {each for (each, _), row in self.rows.items() if row.due_at is not None and row.due_at <= now}
        return [each for each in due if self._sendable(each, now)]

    async def next_due(self) -> datetime | None:
        self._answer()
        return min((row.due_at for row in self.rows.values() if row.due_at), default=None)

    async def claim(self, rooms: Mapping[UUID, int], *, now: datetime, until: datetime) -> Sequence[Claimed]:
        self._answer()
        self.claims.append(dict(rooms))
        found = []
        for endpoint_id, room in rooms.items():
            if not self._sendable(endpoint_id, now):
                continue
            mine = [(key, row) for key, row in sorted(self.rows.items()) if key[0] == endpoint_id]
            due = [(key, row) for key, row in mine if row.due_at is not None and row.due_at <= now]
            for _, row in due[:room]:
                row.due_at = until
                version = self.targets_known[endpoint_id].version
                found.append(Claimed(endpoint_id, version, row.told, row.attempt, row.step, until))
        return found

    async def targets(self, endpoint_ids: Sequence[UUID]) -> Sequence[Target]:
        self._answer()
        return [known for each in endpoint_ids if each not in self.disabled and (known := self.targets_known.get(each))]

    async def settle(self, attempted: Sequence[Attempted], health: Sequence[Health], *, now: datetime) -> None:
        self._answer()
        assert now
        if self.breaks_on in [each.claimed.told.position for each in attempted]:
            raise ZeroDivisionError
        self.settles.append(len(attempted))
        for each in attempted:
            row = self.rows[each.claimed.endpoint_id, each.claimed.told.position]
            assert row.attempt == each.claimed.attempt
            row.state, row.due_at = each.state, each.due_at
            row.attempt, row.step = row.attempt + 1, row.step + 1
            row.log.append(each.attempt)
        for one in health:
            before = self.targets_known[one.endpoint_id]
            if before.changed_at != one.changed_at:
                continue
            self.targets_known[one.endpoint_id] = replace(
                before,
                failures=one.failures,
                failing_since=one.failing_since,
                paused_until=one.paused_until,
                version=before.version + 1,
            )
            if one.disable is not None:
                assert one.endpoint_id not in self.disabled
                self.disabled[one.endpoint_id] = one.disable.value
        self.changed.set()

    async def tidy(self, now: datetime) -> None:
        assert now
        self.tidied += 1
        self._answer()


class Receivers:
    """What sends: each endpoint's answers are the test's. `hang` holds requests to it until it is set."""

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self.answers: dict[UUID, Callable[[Told], Sent]] = {}
        self.hang: dict[UUID, asyncio.Event] = {}
        self.at_once: dict[UUID, int] = {}
        self.most: dict[UUID, int] = {}
        self.came: list[tuple[UUID, int]] = []
        self.urls: list[str] = []
        self.coming = asyncio.Event()

    async def send(self, to: Target, secrets: Signing, what: Told, /) -> Sent:
        assert secrets.signer.headers(what.event.id, self.clock.now(), b"")
        began = self.clock.now()
        self.came.append((to.id, what.position))
        self.urls.append(to.url)
        self.coming.set()
        self.at_once[to.id] = self.at_once.get(to.id, 0) + 1
        self.most[to.id] = max(self.most.get(to.id, 0), self.at_once[to.id])
        if to.id in self.hang:
            await self.hang[to.id].wait()
        await SystemClock().wait(0)
        self.at_once[to.id] -= 1
        answer = self.answers.get(to.id)
        return answered(204, at=began) if answer is None else answer(what)

    async def until(self, count: int) -> None:
        """Wait until so many requests have come."""
        async with asyncio.timeout(30):
            while len(self.came) < count:
                self.coming.clear()
                await self.coming.wait()


class MemoryFeed:
    """The ports `Feed` (as far as relays read it), `Cursors` and `Relay`."""

    def __init__(self, *events: Told) -> None:
        self.events = list(events)
        self.position = 0
        self.owner: UUID | None = None
        self.leased_until = AT
        self.unplaced = 0
        self.endpoints: frozenset[UUID] = frozenset()
        self.asked = 0
        self.away = False
        self.moved = asyncio.Event()

    def _answer(self) -> None:
        if self.away:
            raise Unavailable(AWAY)

    async def place(self, limit: int, now: datetime) -> Placed:
        assert now
        self.asked += 1
        self.moved.set()
        self._answer()
        count = min(limit, self.unplaced)
        self.unplaced -= count
        return Placed(count, self.endpoints if count else frozenset())

    async def last(self) -> int:
        return max((each.position for each in self.events), default=0)

    async def after(self, position: int, limit: int) -> Sequence[Told]:
        self._answer()
        return [each for each in self.events if each.position > position][:limit]

    async def of_organizations(self, organization_ids: Sequence[UUID], after: int, limit: int) -> Sequence[Told]:
        return [each for each in await self.after(after, limit) if each.organization_id in organization_ids]

    async def of_upload(self, upload_id: UUID, after: int) -> Sequence[Told]:
        return [each for each in self.events if each.upload_id == upload_id and each.event.data.sequence > after]

    async def take(self, name: str, owner: UUID, now: datetime, until: datetime) -> int | None:
        assert name
        self.asked += 1
        self.moved.set()
        self._answer()
        if self.owner not in (None, owner) and now < self.leased_until:
            return None
        self.owner, self.leased_until = owner, until
        return self.position

    async def advance(self, name: str, owner: UUID, position: int) -> bool:
        assert name
        self._answer()
        if self.owner != owner:
            return False
        self.position = position
        self.moved.set()
        return True

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a call has made it true."""
        async with asyncio.timeout(30):
            while not condition():
                self.moved.clear()
                await self.moved.wait()


async def ticking(clock: HandClock, condition: Callable[[], bool], *, shorter_than: float = 2.0) -> None:
    """Let the short waits of whoever polls run out, again and again, until it is true."""
    passing = SystemClock()
    async with asyncio.timeout(30):
        while not condition():
            clock.tick_shorter_than(shorter_than)
            await passing.wait(0)
