"""What was delivered to an endpoint, shown, and sent again."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from certpipe.core.ports.webhooks import Replayed
from certpipe.store.database import Database, Record
from certpipe.store.documents import attempts_of
from certpipe.store.events import event_id as id_of_event
from certpipe.store.events import key_of
from certpipe.store.named import queries
from schemas.webhooks import DeliveryPage, DeliveryState, DeliveryView

_SQL = queries("log")
_BEFORE_THE_FIRST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class DeliveryLog:
    """The half of the `Endpoints` port that is about deliveries."""

    database: Database

    async def page(
        self, endpoint_id: UUID, *, state: DeliveryState | None, event_id: str | None, cursor: int | None, limit: int
    ) -> DeliveryPage:
        """Newest first."""
        before = _BEFORE_THE_FIRST if cursor is None else cursor
        if event_id is not None:
            if (key := key_of(event_id)) is None:
                return DeliveryPage(items=())
            rows = await self.database.fetch(_SQL["of_event"], endpoint_id, *key, before, state)
        else:
            rows = await self.database.fetch(_SQL[state or "every"], endpoint_id, before, limit + 1)
        # One more than is wanted tells whether another page follows.
        follows = rows[limit - 1]["position"] if len(rows) > limit else None
        return DeliveryPage(items=tuple(_view(row) for row in rows[:limit]), next=follows)

    async def replay(self, endpoint_id: UUID, delivery: int, *, now: datetime) -> DeliveryView | None:
        """One again; as it is, where it is being sent just now."""
        async with self.database.transaction() as session:
            await session.execute(_SQL["replay"], endpoint_id, delivery, now)
            row = await session.fetchrow(_SQL["one"], endpoint_id, delivery)
        return None if row is None else _view(row)

    async def replay_failed(self, endpoint_id: UUID, *, after: int, limit: int, now: datetime) -> Replayed:
        """A slice of those that failed."""
        return _replayed(await self.database.fetchrow(_SQL["replay_failed"], endpoint_id, after, limit, now))

    async def replay_range(
        self, endpoint_id: UUID, *, since: datetime, until: datetime, after: int, limit: int, now: datetime
    ) -> Replayed:
        """A slice of what happened in that time: `limit` are looked at, those that match are counted."""
        return _replayed(
            await self.database.fetchrow(_SQL["replay_range"], endpoint_id, since, until, after, limit, now)
        )


def _replayed(row: Record | None) -> Replayed:
    return Replayed(0, None) if row is None else Replayed(row["replayed"], row["next"])


def _view(row: Record) -> DeliveryView:
    return DeliveryView(
        id=row["position"],
        event_id=id_of_event(row["subject_id"], row["sequence"]),
        type=row["type"],
        upload_id=row["upload_id"],
        state=DeliveryState(row["state"]),
        created_at=row["created_at"],
        next_attempt_at=row["due_at"],
        attempts=attempts_of(row["log"]),
    )
