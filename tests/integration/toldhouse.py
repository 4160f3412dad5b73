"""The store with what it tells: endpoints as tests need them, and the events of uploads."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from certpipe.core.ids import uuid7
from certpipe.core.ports.directory import Organization
from certpipe.core.ports.events import Told
from certpipe.store.cursors import StoreCursors
from certpipe.store.feed import StoreFeed
from certpipe.store.relay import StoreRelay
from schemas.events import EventType
from tests.integration.storehouse import Storehouse

NOW = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)


@dataclass
class Toldhouse:
    """What the store offers to those who tell."""

    house: Storehouse
    feed: StoreFeed = field(init=False)
    relay: StoreRelay = field(init=False)
    cursors: StoreCursors = field(init=False)

    def __post_init__(self) -> None:
        database = self.house.database
        self.feed = StoreFeed(database)
        self.relay = StoreRelay(database, self.house.hinter)
        self.cursors = StoreCursors(database)

    async def organization(self) -> UUID:
        """Another one."""
        made = Organization(uuid7(), "EKU9003173C9", "Another")
        await self.house.directory.put_organization(made, owner="somebody else")
        return made.id

    async def events(
        self, count: int, kind: EventType = EventType.RETRIED, *, organization: UUID | None = None
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
