"""Webhook endpoints as their owners manage them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from certpipe.core.errors import Rejected
from certpipe.core.ports.webhooks import AddressTakenError, EndpointChange, NewEndpoint, NewKeys, Replayed
from certpipe.store.database import Database, Record, Session
from certpipe.store.deliverylog import DeliveryLog
from certpipe.store.documents import storable
from certpipe.store.events import event_id
from certpipe.store.hinting import Hinter
from certpipe.store.named import queries
from certpipe.store.problems import ROTATION_IN_PROGRESS, TOO_MANY_ENDPOINTS
from schemas.webhooks import MOST_ENDPOINTS, DeliveryPage, DeliveryState, DeliveryView, DisabledBecause, WebhookView

_SQL = queries("endpoints")


@dataclass(frozen=True, slots=True)
class StoreEndpoints:
    """The endpoints over the store. What gives the notify worker something to send is hinted."""

    database: Database
    hinter: Hinter

    async def create(self, endpoint: NewEndpoint, /, *, now: datetime) -> WebhookView:
        async with self.database.transaction() as session:
            await _take_address(session, "lock_organization", endpoint.organization_id, endpoint.id, endpoint.url)
            row = await session.fetchrow(
                _SQL["make"],
                endpoint.id,
                endpoint.organization_id,
                storable(endpoint.url),
                endpoint.types,
                storable(endpoint.description),
                endpoint.header_names,
                endpoint.headers.kid,
                endpoint.headers.ciphertext,
                endpoint.keys.public_key,
                endpoint.keys.sealed.kid,
                endpoint.keys.sealed.ciphertext,
                now,
                MOST_ENDPOINTS,
            )
        if row is None:
            raise Rejected(TOO_MANY_ENDPOINTS)
        return _view(row)

    async def endpoints(self, organization_ids: Sequence[UUID]) -> Sequence[WebhookView]:
        return [_view(row) for row in await self.database.fetch(_SQL["endpoints"], list(organization_ids))]

    async def get(self, endpoint_id: UUID, organization_ids: Sequence[UUID]) -> WebhookView | None:
        return _view_or_none(await self.database.fetchrow(_SQL["get"], endpoint_id, list(organization_ids)))

    async def change(self, endpoint_id: UUID, change: EndpointChange, *, now: datetime) -> WebhookView | None:
        (types,) = change.types or (None,)
        names, sealed = change.headers or (None, None)
        async with self.database.transaction() as session:
            if change.url is not None:
                await _take_address(session, "lock_its_organization", endpoint_id, endpoint_id, change.url)
            row = await session.fetchrow(
                _SQL["change"],
                endpoint_id,
                now,
                None if change.url is None else storable(change.url),
                change.types is not None,
                types,
                None if change.description is None else storable(change.description),
                names,
                None if sealed is None else sealed.kid,
                None if sealed is None else sealed.ciphertext,
                change.enabled,
            )
        if change.enabled:
            self.hinter.hint()
        return _view_or_none(row)

    async def remove(self, endpoint_id: UUID, *, now: datetime) -> bool:
        return await self.database.fetchrow(_SQL["remove"], endpoint_id, now) is not None

    async def rotate(
        self, endpoint_id: UUID, keys: NewKeys, *, now: datetime, previous_until: datetime
    ) -> WebhookView | None:
        row = await self.database.fetchrow(
            _SQL["rotate"],
            endpoint_id,
            now,
            keys.public_key,
            keys.sealed.kid,
            keys.sealed.ciphertext,
            previous_until,
        )
        if row is None and await self.database.fetchrow(_SQL["is_there"], endpoint_id) is not None:
            raise Rejected(ROTATION_IN_PROGRESS)
        return _view_or_none(row)

    async def revoke(self, endpoint_id: UUID, *, now: datetime) -> WebhookView | None:
        return _view_or_none(await self.database.fetchrow(_SQL["revoke"], endpoint_id, now))

    async def ping(self, endpoint_id: UUID, *, now: datetime) -> str | None:
        row = await self.database.fetchrow(_SQL["ping"], endpoint_id, now)
        if row is None:
            return None
        self.hinter.hint()
        return event_id(row["subject_id"], row["sequence"])

    async def deliveries(
        self,
        endpoint_id: UUID,
        *,
        state: DeliveryState | None,
        event_id: str | None,
        cursor: int | None,
        limit: int,
    ) -> DeliveryPage:
        return await self._log.page(endpoint_id, state=state, event_id=event_id, cursor=cursor, limit=limit)

    async def replay(self, endpoint_id: UUID, delivery: int, *, now: datetime) -> DeliveryView | None:
        view = await self._log.replay(endpoint_id, delivery, now=now)
        self.hinter.hint()
        return view

    async def replay_failed(self, endpoint_id: UUID, *, after: int, limit: int, now: datetime) -> Replayed:
        replayed = await self._log.replay_failed(endpoint_id, after=after, limit=limit, now=now)
        self.hinter.hint()
        return replayed

    async def replay_range(
        self, endpoint_id: UUID, *, since: datetime, until: datetime, after: int, limit: int, now: datetime
    ) -> Replayed:
        replayed = await self._log.replay_range(
            endpoint_id, since=since, until=until, after=after, limit=limit, now=now
        )
        self.hinter.hint()
        return replayed

    @property
    def _log(self) -> DeliveryLog:
        return DeliveryLog(self.database)


async def _take_address(session: Session, lock: str, locked_by: UUID, endpoint_id: UUID, url: str) -> None:
    """See that no other endpoint of the organization has it; until the transaction ends none can get it.

    `locked_by`: what the query `lock` finds the organization by. Raises `AddressTakenError`.
    """
    organization = await session.fetchrow(_SQL[lock], locked_by)
    if organization is None:
        return
    row = await session.fetchrow(_SQL["at_address"], organization["id"], storable(url), endpoint_id)
    if row is not None:
        raise AddressTakenError(_view(row))


def _view_or_none(row: Record | None) -> WebhookView | None:
    return None if row is None else _view(row)


def _view(row: Record) -> WebhookView:
    because = row["disabled_because"]
    return WebhookView(
        id=row["id"],
        organization_id=row["organization_id"],
        url=row["url"],
        types=None if row["types"] is None else tuple(row["types"]),
        description=row["description"],
        headers=tuple(row["header_names"]),
        public_key=row["public_key"],
        enabled=row["disabled_at"] is None,
        disabled_at=row["disabled_at"],
        disabled_because=None if because is None else DisabledBecause(because),
        failures=row["failures"],
        failing_since=row["failing_since"],
        paused_until=row["paused_until"],
        previous_secret_until=row["previous_until"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
