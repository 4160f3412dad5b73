"""The real notify worker over the real store, receivers of its own, and a clock that jumps."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from aiohttp import web
from standardwebhooks import Webhook

from certpipe.core.clock import SystemClock
from certpipe.core.ids import uuid7
from certpipe.core.ports.webhooks import NewEndpoint
from certpipe.crypto.endpoint_sealing import HpkeEndpointSealer
from certpipe.crypto.keymaking import init_keys
from certpipe.process import Process, opened, serve
from certpipe.settings import Settings
from schemas.events import Event, EventType
from schemas.webhooks import DeliveryView, WebhookView
from tests.integration.storehouse import Storehouse, storehouse
from tests.integration.toldhouse import Toldhouse
from workers.notify import role

SECONDS = 60
LOOPBACK = "127.0.0.0/8"


class JumpingClock:
    """The machine's clock, ahead of it by as much as tests say. No wait is longer than a moment."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def wait(self, seconds: float, *, until: asyncio.Event | None = None) -> bool:
        return await SystemClock().wait(min(seconds, 0.02), until=until)

    def jump_to(self, at: datetime) -> None:
        """Past that instant, if it lies ahead."""
        self.ahead += max(timedelta(0), at - self.now())


@dataclass
class Got:
    """One request. `event`: what it carries, once its signature was verified."""

    event: Event
    headers: dict[str, str]
    body: bytes
    at: float


@dataclass
class Receiver:
    """A server at `url` that verifies each delivery by the public library, and answers as the test says."""

    url: str = ""
    secret: str = ""
    answer: Callable[[], web.Response] = lambda: web.Response(status=204)
    hang: asyncio.Event | None = None
    got: list[Got] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        if self.secret:
            Webhook(self.secret).verify(body, headers)
        self.got.append(Got(Event.model_validate_json(body), headers, body, asyncio.get_running_loop().time()))
        self.came.set()
        if self.hang is not None:
            await self.hang.wait()
        return self.answer()

    @property
    def ids(self) -> list[str]:
        """Of the events, as often as they came."""
        return [each.event.id for each in self.got]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until something came that makes it true."""
        async with asyncio.timeout(SECONDS):
            while not condition():
                self.came.clear()
                await self.came.wait()


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a free port of loopback."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"http://{host}:{port}/hook"
    try:
        yield receiver
    finally:
        if receiver.hang is not None:
            receiver.hang.set()
        await runner.cleanup()


@dataclass
class Notifyhouse:
    """The store, the keys, and the way to start and stop the worker."""

    house: Storehouse
    folder: Path
    clock: JumpingClock = field(default_factory=JumpingClock)

    def __post_init__(self) -> None:
        init_keys(self.folder)
        self.telling = Toldhouse(self.house)
        self.sealer = HpkeEndpointSealer.from_folder(self.folder)

    async def endpoint(self, receiver: Receiver, *types: EventType, headers: dict[str, str] | None = None) -> UUID:
        """A new endpoint, whose secret the receiver is given."""
        endpoint_id = uuid7()
        keys = self.sealer.new_keys(endpoint_id)
        sealed = self.sealer.seal_headers(endpoint_id, headers or {})
        made = NewEndpoint(
            endpoint_id,
            self.house.organization.id,
            receiver.url,
            types or None,
            "a test's",
            keys,
            tuple(headers or {}),
            sealed,
        )
        await self.telling.endpoints.create(made, now=self.clock.now())
        receiver.secret = receiver.secret or keys.secret
        return endpoint_id

    async def view(self, endpoint_id: UUID) -> WebhookView:
        found = await self.telling.endpoints.get(endpoint_id, [self.house.organization.id])
        assert found is not None
        return found

    async def log(self, endpoint_id: UUID) -> Sequence[DeliveryView]:
        """Of its deliveries, newest first."""
        page = await self.telling.endpoints.deliveries(endpoint_id, state=None, event_id=None, cursor=None, limit=100)
        return page.items

    async def until(self, endpoint_id: UUID, condition: Callable[[Sequence[DeliveryView], WebhookView], bool]) -> None:
        """Wait until the log of the endpoint, and what is shown of it, make it true."""
        async with asyncio.timeout(SECONDS):
            while not condition(await self.log(endpoint_id), await self.view(endpoint_id)):
                await SystemClock().wait(0.02)

    @asynccontextmanager
    async def notifying(self, *, amqp_url: str | None = None, patience: float = 15.0) -> AsyncIterator[Process]:
        """The worker runs."""
        settings = Settings(keys_dir=self.folder, webhook_networks=LOOPBACK, webhook_timeout=patience)
        stopping = asyncio.Event()
        async with opened(settings, role="notify", database_url=self.house.url, amqp_url=amqp_url) as process:
            jumping = replace(process, clock=self.clock)
            async with role(jumping) as services:
                running = asyncio.create_task(serve(services, stopping))
                try:
                    yield jumping
                finally:
                    stopping.set()
                    async with asyncio.timeout(SECONDS):
                        await running


@asynccontextmanager
async def notifyhouse(database_url: str, folder: Path) -> AsyncIterator[Notifyhouse]:
    """A migrated database, and keys in a folder of their own."""
    async with storehouse(database_url) as house:
        yield Notifyhouse(house, folder / "keys")
