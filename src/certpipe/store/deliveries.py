"""The queue of deliveries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from certpipe.core.ports.webhooks import Attempted, Claimed, Health, SealedText, Target
from certpipe.store.database import Database, Record
from certpipe.store.documents import attempt_text
from certpipe.store.events import told_of
from certpipe.store.hinting import Hinter
from certpipe.store.named import queries

_SQL = queries("deliveries")
_CLAIM = queries("feed")["claim"]
_KEPT = timedelta(days=30)
_MOMENT = timedelta(minutes=5)
_SLICE = 5_000
_ENDPOINTS = 100
_NOBODY = UUID(int=0)


@dataclass(frozen=True, slots=True)
class StoreDeliveries:
    """The deliveries over the store. An endpoint that was disabled is hinted, since it has an event."""

    database: Database
    hinter: Hinter

    async def waiting(self, now: datetime) -> Sequence[UUID]:
        return [row["id"] for row in await self.database.fetch(_SQL["waiting"], now)]

    async def next_due(self) -> datetime | None:
        row = await self.database.fetchrow(_SQL["next_due"])
        return None if row is None else row["next_due"]

    async def claim(self, rooms: Mapping[UUID, int], *, now: datetime, until: datetime) -> Sequence[Claimed]:
        if not rooms:
            return ()
        rows = await self.database.fetch(_CLAIM, list(rooms), list(rooms.values()), now, until)
        return [
            Claimed(row["endpoint_id"], row["version"], told_of(row), row["attempt"], row["step"], until)
            for row in rows
        ]

    async def targets(self, endpoint_ids: Sequence[UUID]) -> Sequence[Target]:
        return [_target(row) for row in await self.database.fetch(_SQL["targets"], list(endpoint_ids))]

    async def settle(self, attempted: Sequence[Attempted], health: Sequence[Health], *, now: datetime) -> None:
        if not attempted and not health:
            return
        row = await self.database.fetchrow(_SQL["settle"], *_attempts(attempted), *_healths(health), now)
        if row is not None and row["told"]:
            self.hinter.hint()

    async def tidy(self, now: datetime) -> None:
        await self._slices(_SQL["tidy_tickets"], now)
        last = _NOBODY
        while endpoints := [row["id"] for row in await self.database.fetch(_SQL["some_endpoints"], last, _ENDPOINTS)]:
            await self._slices(_SQL["tidy_log"], endpoints, now - _KEPT)
            await self.database.execute(_SQL["tidy_endpoints"], endpoints, now - _MOMENT)
            last = endpoints[-1]

    async def _slices(self, sql: str, *arguments: object) -> None:
        """As long as there is something to be deleted: what is not yet old enough ends it."""
        while (row := await self.database.fetchrow(sql, *arguments, _SLICE)) is not None and row["gone"]:
            continue


def _target(row: Record) -> Target:
    until = row["previous_until"]
    return Target(
        id=row["id"],
        version=row["version"],
        changed_at=row["updated_at"],
        url=row["url"],
        sealed=SealedText(row["keys_kid"], row["keys_sealed"]),
        headers=SealedText(row["headers_kid"], row["headers_sealed"]),
        previous=None if until is None else SealedText(row["previous_kid"], row["previous_sealed"]),
        previous_until=until,
        failures=row["failures"],
        failing_since=row["failing_since"],
        paused_until=row["paused_until"],
    )


def _attempts(attempted: Sequence[Attempted]) -> Sequence[Sequence[object]]:
    """The six columns of attempts. Of two for one delivery the first counts."""
    rows = {
        (each.claimed.endpoint_id, each.claimed.told.position): (
            each.claimed.endpoint_id,
            each.claimed.told.position,
            each.claimed.attempt,
            each.state,
            each.due_at,
            attempt_text(each.attempt),
        )
        for each in reversed(attempted)
    }
    return list(zip(*rows.values(), strict=True)) or [()] * 6


def _healths(health: Sequence[Health]) -> Sequence[Sequence[object]]:
    """The six columns of healths. Of two for one endpoint the last counts."""
    rows = {
        each.endpoint_id: (
            each.endpoint_id,
            each.changed_at,
            each.failures,
            each.failing_since,
            each.paused_until,
            each.disable,
        )
        for each in health
    }
    return list(zip(*rows.values(), strict=True)) or [()] * 6
