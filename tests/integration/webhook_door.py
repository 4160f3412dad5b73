"""The door in front of the real store of webhook endpoints, with real seals and the real guard."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from aiohttp.abc import ResolveResult

from certpipe.core.ids import uuid7
from certpipe.core.ports.directory import Organization, Role
from certpipe.crypto.endpoint_sealing import HpkeEndpointSealer
from certpipe.crypto.keymaking import init_keys
from certpipe.ingress.keys import Webhooks
from certpipe.notify.connecting import UnresolvedError
from certpipe.notify.guard import UrlGuard
from certpipe.store.endpoints import StoreEndpoints
from certpipe.store.relay import StoreRelay
from tests.fakes import HandClock
from tests.integration.door import Door, open_door
from tests.integration.storehouse import Storehouse, storehouse

URL = "https://erp.example/hook"
PUBLIC = "203.0.114.7"
NAMES = {"erp.example": PUBLIC, "other.example": PUBLIC, "inside.example": "10.0.0.1"}


class Table:
    """Names as they stand in a table."""

    async def addresses(self, host: str, port: int) -> Sequence[ResolveResult]:
        if host not in NAMES:
            raise UnresolvedError
        return [ResolveResult(hostname=host, host=NAMES[host], port=port, family=2, proto=0, flags=0)]


@dataclass
class WebhookDoor:
    """What is behind it: olivia owns, ada is an admin and mario a member of the door's organization."""

    door: Door
    house: Storehouse
    clock: HandClock
    relay: StoreRelay
    elsewhere: Organization

    async def asks(
        self, method: str, path: str = "/v1/webhooks", *, subject: str = "olivia", **options: Any
    ) -> tuple[int, Any]:
        """The status, and the JSON of the answer (None where there is nothing)."""
        async with self.door.call(method, path, subject=subject, **options) as answer:
            return answer.status, await answer.json(content_type=None) if await answer.read() else None

    def body(self, **changes: Any) -> dict[str, Any]:
        return {"organization_id": str(self.door.organization), "url": URL, **changes}

    async def made(self, **changes: Any) -> dict[str, Any]:
        """A new endpoint, as it is shown to who made it."""
        status, shown = await self.asks("POST", json=self.body(**changes))
        assert status == 201, shown
        view: dict[str, Any] = shown
        return view

    async def shown(self, endpoint: Mapping[str, Any]) -> dict[str, Any]:
        status, view = await self.asks("GET", path(endpoint))
        assert status == 200, view
        found: dict[str, Any] = view
        return found

    async def pinged(self, endpoint: Mapping[str, Any], times: int = 1) -> list[str]:
        """The ids of so many pings, each in the log."""
        ids = []
        for _ in range(times):
            status, answer = await self.asks("POST", path(endpoint, "/ping"))
            assert status == 202, answer
            await self.relay.place(100, self.clock.now())
            ids.append(answer["event_id"])
        return ids

    async def log(self, endpoint: Mapping[str, Any], query: str = "") -> dict[str, Any]:
        status, page = await self.asks("GET", path(endpoint, f"/deliveries{query}"))
        assert status == 200, page
        found: dict[str, Any] = page
        return found


def path(endpoint: Mapping[str, Any], rest: str = "") -> str:
    """Where an endpoint is, or what belongs to it."""
    return f"/v1/webhooks/{endpoint['id']}{rest}"


@asynccontextmanager
async def webhook_door(url: str, folder: Path) -> AsyncIterator[WebhookDoor]:
    """A running server over a migrated database, with two organizations."""
    init_keys(folder)
    clock = HandClock()
    async with storehouse(url) as house:
        guard = UrlGuard((), Table())
        webhooks = Webhooks(
            StoreEndpoints(house.database, house.hinter), HpkeEndpointSealer.from_folder(folder), guard, clock
        )
        async with open_door(webhooks=webhooks) as door:
            elsewhere = Organization(uuid7(), "EKU9003173C9", "Elsewhere")
            for organization in (door.directory.known[door.organization], elsewhere):
                await house.directory.put_organization(organization, owner="somebody")
            _people(door, elsewhere.id)
            relay = StoreRelay(house.database, house.hinter)
            yield WebhookDoor(door, house, clock, relay, elsewhere)


def _people(door: Door, elsewhere: UUID) -> None:
    door.directory.members["ada"] = {door.organization: Role.ADMIN}
    door.directory.members["stranger"] = {elsewhere: Role.OWNER}
    door.directory.members["both"] = {door.organization: Role.OWNER, elsewhere: Role.MEMBER}
