"""The ports that the management of webhooks needs, in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from certpipe.core.clock import Clock
from certpipe.core.ports.webhooks import AddressTakenError, EndpointChange, NewEndpoint, NewKeys, Replayed, SealedText
from certpipe.core.problems import Problem
from certpipe.ingress.keys import Webhooks
from schemas.events import EventType
from schemas.webhooks import DeliveryPage, DeliveryState, DeliveryView, DisabledBecause, WebhookView


class PlainEndpointSealer:
    """Seals nothing. Its secrets name the endpoint, and how many there were before."""

    def __init__(self) -> None:
        self.made = 0

    def new_keys(self, endpoint_id: UUID, /) -> NewKeys:
        self.made += 1
        name = f"{endpoint_id.hex}.{self.made}"
        return NewKeys(f"whsec_{name}", f"whpk_{name}", SealedText("webhook-1", name.encode()))

    def seal_headers(self, _endpoint_id: UUID, headers: Mapping[str, str], /) -> SealedText:
        return SealedText("webhook-1", repr(dict(headers)).encode())


class SchemeGuard:
    """Refuses whatever is not https, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def refusal(self, url: str, /) -> Problem | None:
        self.asked.append(url)
        return None if url.startswith("https://") else Problem("forbidden_address", "No", "No", status=422)


@dataclass
class MemoryEndpoints:
    """The port `Endpoints` over dictionaries. It delivers nothing: its logs have the pings, and what a test puts."""

    views: dict[UUID, WebhookView] = field(default_factory=dict)
    sealed: dict[UUID, SealedText] = field(default_factory=dict)
    logs: dict[UUID, list[DeliveryView]] = field(default_factory=dict)
    ranges: list[tuple[datetime, datetime]] = field(default_factory=list)

    async def create(self, endpoint: NewEndpoint, /, *, now: datetime) -> WebhookView:
        self._take_address(endpoint.organization_id, endpoint.id, endpoint.url)
        self.views[endpoint.id] = WebhookView(
            id=endpoint.id,
            organization_id=endpoint.organization_id,
            url=endpoint.url,
            types=endpoint.types,
            description=endpoint.description,
            headers=endpoint.header_names,
            public_key=endpoint.keys.public_key,
            enabled=True,
            created_at=now,
            updated_at=now,
        )
        self.sealed[endpoint.id], self.logs[endpoint.id] = endpoint.headers, []
        return self.views[endpoint.id]

    async def endpoints(self, organization_ids: Sequence[UUID]) -> Sequence[WebhookView]:
        return [view for view in self.views.values() if view.organization_id in set(organization_ids)]

    async def get(self, endpoint_id: UUID, organization_ids: Sequence[UUID]) -> WebhookView | None:
        view = self.views.get(endpoint_id)
        return view if view is not None and view.organization_id in set(organization_ids) else None

    async def change(self, endpoint_id: UUID, change: EndpointChange, *, now: datetime) -> WebhookView | None:
        if endpoint_id in self.views:
            self._take_address(self.views[endpoint_id].organization_id, endpoint_id, change.url)
        changes: dict[str, object] = {
            name: value
            for name, value in (("url", change.url), ("description", change.description))
            if value is not None
        }
        if change.types is not None:
            changes["types"] = change.types[0]
        if change.headers is not None:
            changes["headers"], self.sealed[endpoint_id] = change.headers
        if change.enabled is not None:
            off = not change.enabled
            changes |= {"enabled": change.enabled, "disabled_at": now if off else None}
            changes["disabled_because"] = DisabledBecause.OWNER if off else None
        return self._put(endpoint_id, changes | {"updated_at": now})

    async def remove(self, endpoint_id: UUID, *, now: datetime) -> bool:  # noqa: ARG002 - the port's signature
        return self.views.pop(endpoint_id, None) is not None

    async def rotate(
        self, endpoint_id: UUID, keys: NewKeys, *, now: datetime, previous_until: datetime
    ) -> WebhookView | None:
        changes = {"public_key": keys.public_key, "previous_secret_until": previous_until, "updated_at": now}
        return self._put(endpoint_id, changes)

    async def revoke(self, endpoint_id: UUID, *, now: datetime) -> WebhookView | None:
        return self._put(endpoint_id, {"previous_secret_until": None, "updated_at": now})

    async def ping(self, endpoint_id: UUID, *, now: datetime) -> str | None:
        log = self.logs[endpoint_id]
        event_id = f"evt_{endpoint_id.hex}_{len(log) + 1}"
        pending, type_ = DeliveryState.PENDING, EventType.ENDPOINT_PING
        log.append(DeliveryView(id=len(log) + 1, event_id=event_id, type=type_, state=pending, created_at=now))
        return event_id

    async def deliveries(
        self, endpoint_id: UUID, *, state: DeliveryState | None, event_id: str | None, cursor: int | None, limit: int
    ) -> DeliveryPage:
        found = [
            each
            for each in reversed(self.logs[endpoint_id])
            if state in {None, each.state}
            and event_id in {None, each.event_id}
            and (cursor is None or each.id < cursor)
        ]
        return DeliveryPage(items=tuple(found[:limit]), next=found[limit - 1].id if len(found) > limit else None)

    async def replay(self, endpoint_id: UUID, delivery: int, *, now: datetime) -> DeliveryView | None:
        found = next((each for each in self.logs[endpoint_id] if each.id == delivery), None)
        return found and found.model_copy(update={"state": DeliveryState.PENDING, "next_attempt_at": now})

    async def replay_failed(self, endpoint_id: UUID, *, after: int, limit: int, now: datetime) -> Replayed:  # noqa: ARG002 - the port's signature
        failed = [each for each in self.logs[endpoint_id] if each.state is DeliveryState.FAILED and each.id > after]
        return Replayed(len(failed[:limit]), None)

    async def replay_range(
        self,
        endpoint_id: UUID,
        *,
        since: datetime,
        until: datetime,
        after: int,
        limit: int,
        now: datetime,  # noqa: ARG002 - the port's signature
    ) -> Replayed:
        self.ranges.append((since, until))
        found = [each for each in self.logs[endpoint_id] if since <= each.created_at < until and each.id > after]
        return Replayed(len(found[:limit]), None)

    def _take_address(self, organization_id: UUID, endpoint_id: UUID, url: str | None) -> None:
        for each in self.views.values():
            if (each.organization_id, each.url) == (organization_id, url) and each.id != endpoint_id:
                raise AddressTakenError(each)

    def _put(self, endpoint_id: UUID, changes: Mapping[str, object]) -> WebhookView | None:
        view = self.views.get(endpoint_id)
        if view is None:
            return None
        self.views[endpoint_id] = view.model_copy(update=dict(changes))
        return self.views[endpoint_id]


def webhooks(clock: Clock) -> Webhooks:
    """Everything in memory."""
    return Webhooks(MemoryEndpoints(), PlainEndpointSealer(), SchemeGuard(), clock)
