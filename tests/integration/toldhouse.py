"""The store with what it tells: endpoints as tests need them, and the events of uploads."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from certpipe.core.ids import uuid7
from certpipe.core.ports.directory import Organization
from certpipe.core.ports.events import Told
from certpipe.core.ports.webhooks import Attempted, Claimed, Health, NewEndpoint, NewKeys, SealedText
from certpipe.store.cursors import StoreCursors
from certpipe.store.deliveries import StoreDeliveries
from certpipe.store.endpoints import StoreEndpoints
from certpipe.store.feed import StoreFeed
from certpipe.store.relay import StoreRelay
from certpipe.store.tickets import StoreTickets
from schemas.events import EventType
from schemas.webhooks import AttemptView, DeliveryState, DisabledBecause
from tests.integration.storehouse import Storehouse

NOW = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
LEASE = timedelta(minutes=1)
MADE = NOW - timedelta(hours=1)
"""When endpoints are made."""


@dataclass
class Toldhouse:
    """What the store offers to those who tell."""

    house: Storehouse
    feed: StoreFeed = field(init=False)
    relay: StoreRelay = field(init=False)
    cursors: StoreCursors = field(init=False)
    deliveries: StoreDeliveries = field(init=False)
    endpoints: StoreEndpoints = field(init=False)
    tickets: StoreTickets = field(init=False)

    def __post_init__(self) -> None:
        database = self.house.database
        self.feed = StoreFeed(database)
        self.relay = StoreRelay(database, self.house.hinter)
        self.cursors = StoreCursors(database)
        self.deliveries = StoreDeliveries(database, self.house.hinter)
        self.endpoints = StoreEndpoints(database, self.house.hinter)
        self.tickets = StoreTickets(database)

    async def organization(self) -> UUID:
        """Another one."""
        made = Organization(uuid7(), "EKU9003173C9", "Another")
        await self.house.directory.put_organization(made, owner="somebody else")
        return made.id

    async def events(
        self, count: int, kind: str = EventType.RETRIED, *, organization: UUID | None = None
    ) -> list[UUID]:
        """Events of subjects of their own, a second apart, not placed yet."""
        subjects = [uuid7() for _ in range(count)]
        await self.house.database.execute(
            "INSERT INTO certpipe.events (subject_id, sequence, organization_id, type, at) "
            "SELECT id, 1, $2, $3, $4::timestamptz + make_interval(secs => n) "
            "FROM unnest($1::uuid[]) WITH ORDINALITY AS s (id, n)",
            subjects,
            organization or self.house.organization.id,
            kind,
            NOW - timedelta(days=1),
        )
        return subjects

    async def placed(self, limit: int = 10_000, now: datetime = NOW) -> frozenset[UUID]:
        """Place everything; the endpoints that have something new."""
        endpoints: frozenset[UUID] = frozenset()
        while (placed := await self.relay.place(limit, now)).events:
            endpoints |= placed.endpoints
        return endpoints

    async def all(self) -> Sequence[Told]:
        """The whole feed."""
        return await self.feed.after(0, 100_000)

    async def endpoint(self, *types: EventType, organization: UUID | None = None, now: datetime = MADE) -> UUID:
        """A new one: for these types, or for all."""
        made = new_endpoint(organization or self.house.organization.id, types or None)
        return (await self.endpoints.create(made, now=now)).id

    async def claim(self, endpoint: UUID, room: int = 1_000, *, now: datetime = NOW) -> Sequence[Claimed]:
        """Of one endpoint, for a minute."""
        return await self.deliveries.claim({endpoint: room}, now=now, until=now + LEASE)

    async def settle(self, *attempted: Attempted, now: datetime = NOW) -> None:
        """Without a word on anybody's health."""
        await self.deliveries.settle(attempted, (), now=now)

    async def row(self, endpoint: UUID, position: int) -> tuple[str, datetime | None, int, int]:
        """State, due_at, attempt and step of a delivery."""
        row = await self.house.database.fetchrow(
            "SELECT state, due_at, attempt, step FROM certpipe.deliveries WHERE endpoint_id = $1 AND position = $2",
            endpoint,
            position,
        )
        assert row is not None
        return row["state"], row["due_at"], row["attempt"], row["step"]


def new_endpoint(organization: UUID, types: tuple[EventType, ...] | None = None) -> NewEndpoint:
    """One to be made, at an address of its own."""
    id_, headers = uuid7(), SealedText("webhook-1", os.urandom(20))
    return NewEndpoint(id_, organization, f"https://example.org/{id_}", types, "ours", new_keys(), ("X-Key",), headers)


def new_keys() -> NewKeys:
    """Fresh ones."""
    return NewKeys("whsec_unused", f"whpk_{os.urandom(6).hex()}", SealedText("webhook-1", os.urandom(64)))


def taken(claimed: Claimed, *, at: datetime = NOW) -> Attempted:
    """It was delivered."""
    return Attempted(claimed, AttemptView(at=at, status=204, milliseconds=12), DeliveryState.DELIVERED, None)


def tried(claimed: Claimed, due_at: datetime | None, *, at: datetime = NOW, excerpt: str = "no") -> Attempted:
    """It was not, and is tried again then, or never."""
    state = DeliveryState.FAILED if due_at is None else DeliveryState.PENDING
    return Attempted(claimed, AttemptView(at=at, status=500, milliseconds=12, excerpt=excerpt), state, due_at)


def healthy(endpoint: UUID) -> Health:
    """No fault."""
    return Health(endpoint, MADE, 0, None, None)


def failing(
    endpoint: UUID,
    failures: int = 1,
    *,
    since: datetime = NOW,
    paused: datetime | None = None,
    disable: DisabledBecause | None = None,
    changed: datetime = MADE,
) -> Health:
    """So many on end."""
    return Health(endpoint, changed, failures, since, paused, disable)
