"""The HTTP door on a real socket, over ports in memory, with tokens of its own."""

import asyncio
import io
import json
import socket
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import aiohttp
from joserfc import jwt
from joserfc.jwk import OKPKey

from certpipe.core.clock import SystemClock
from certpipe.core.ids import uuid7
from certpipe.core.ports.directory import Organization, Party, PartyKind, Role
from certpipe.ingress.app import create_app
from certpipe.ingress.auth import JwtAuthenticator
from certpipe.ingress.intake import IntakeService
from certpipe.ingress.jwks import KeySet
from certpipe.ingress.keys import Streams, Webhooks
from certpipe.ingress.mounting import Mounted
from certpipe.ingress.server import HttpServer
from certpipe.ingress.streams import Hub
from certpipe.ingress.tickets import TicketOffice
from certpipe.ingress.waiting import WaitingRoom
from schemas.health import ProbeView
from schemas.sealing import SealingKey, SealingKeysDocument
from tests.dead_fakes import MemoryDeadLetters
from tests.fakes import Bell, MemoryDirectory, MemoryDispatcher, MemoryServices, MemoryStore, PlainSealer
from tests.stream_fakes import MemoryFeed, MemoryTickets
from tests.webhook_fakes import webhooks as webhooks_in_memory

ISSUER, AUDIENCE = "https://issuer.test", "certpipe"
SEALING = SealingKeysDocument(
    current="intake-1",
    keys=(SealingKey(kid="intake-1", x="A" * 43, version=1, created=datetime(2026, 1, 1, tzinfo=UTC)),),
)


class OneSet:
    """A key source with one set."""

    def __init__(self, key: OKPKey) -> None:
        self._set = KeySet.parse(json.dumps({"keys": [key.as_dict(private=False)]}).encode())

    async def find(self, kid: str | None) -> Any:
        return self._set.find(kid)


@dataclass
class Door:
    """Everything behind the door, and a client in front of it."""

    session: aiohttp.ClientSession
    address: str
    key: OKPKey
    store: MemoryStore
    directory: MemoryDirectory
    dispatcher: MemoryDispatcher
    waiting: WaitingRoom
    webhooks: Webhooks
    feed: MemoryFeed
    hub: Hub
    bell: Bell
    probes: list[ProbeView]
    dead_letters: MemoryDeadLetters
    services: MemoryServices
    organization: UUID = field(default_factory=uuid7)
    party: UUID = field(default_factory=uuid7)

    def __post_init__(self) -> None:
        self.directory.known[self.organization] = Organization(self.organization, "EKU9003173C9", "Kemper")
        self.directory.known_parties[self.party] = Party(
            self.party, self.organization, PartyKind.ENTRY, "EKU9003173C9", "Kemper"
        )
        for subject, role in (("olivia", Role.OWNER), ("mario", Role.MEMBER), ("root", Role.OWNER)):
            self.directory.members[subject] = {self.organization: role}
        self.directory.members["stranger"] = {}

    def token(self, subject: str = "olivia", **claims: Any) -> str:
        """A good token, or one that differs by `claims`."""
        now = int(time.time())
        body = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 600, **claims}
        if subject == "root":
            body.setdefault("scope", "ops:act")
        return jwt.encode({"alg": "Ed25519", "typ": "at+jwt", "kid": "k1"}, body, self.key, algorithms=["Ed25519"])

    @asynccontextmanager
    async def call(
        self, method: str, path: str, *, subject: str | None = "olivia", headers: Mapping[str, str] = {}, **options: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request."""
        sent = {**({"Authorization": f"Bearer {self.token(subject)}"} if subject else {}), **headers}
        async with self.session.request(method, self.address + path, headers=sent, **options) as answer:
            yield answer


def form(door: Door, **changes: Any) -> aiohttp.FormData:
    """A multipart upload; a change to None leaves the field out, bytes become a file."""
    fields: dict[str, Any] = {
        "certificate": b"cer-bytes",
        "private_key": b"key-bytes",
        "password": "12345678a",
        "party_id": str(door.party),
        "kind": "csd",
        **changes,
    }
    data = aiohttp.FormData(default_to_multipart=True)
    for name, value in fields.items():
        if isinstance(value, bytes):
            data.add_field(name, io.BytesIO(value), filename=f"{name}.bin", content_type="application/octet-stream")
        elif value is not None:
            data.add_field(name, value)
    return data


def body(door: Door, **changes: Any) -> dict[str, Any]:
    """The same as JSON."""
    fields: dict[str, Any] = {
        "certificate": "Y2VyLWJ5dGVz",
        "private_key": "a2V5LWJ5dGVz",
        "password": "12345678a",
        "party_id": str(door.party),
        "kind": "csd",
        **changes,
    }
    return {name: value for name, value in fields.items() if value is not None}


@asynccontextmanager
async def open_door(
    *,
    limit: int = 1_000,
    bytes_in_flight: int = 32 << 20,
    seconds_for_a_body: float = 60,
    dialects: Sequence[Mounted] = (),
    webhooks: Webhooks | None = None,
    beat: float = 15.0,
) -> AsyncIterator[Door]:
    """A running server on a free port."""
    store, directory, dispatcher, bell = MemoryStore(), MemoryDirectory(), MemoryDispatcher(), Bell()
    key = OKPKey.generate_key("Ed25519", {"kid": "k1"})
    clock, feed, second_bell = SystemClock(), MemoryFeed(), Bell()
    hub = Hub(feed, store, clock, second_bell, beat=beat)
    waiting, webhooks = WaitingRoom(store, clock, bell), webhooks or webhooks_in_memory(clock)
    dead_letters, services = MemoryDeadLetters(), MemoryServices()
    probes = [ProbeView(name="database", ok=True, required=True), ProbeView(name="broker", ok=False, required=False)]

    async def readiness() -> list[ProbeView]:
        return probes

    service = IntakeService(store, directory, PlainSealer(), dispatcher, store, b"k" * 32, limit, limit)
    app = create_app(
        service=service,
        statuses=store,
        removals=store,
        directory=directory,
        authenticator=JwtAuthenticator(OneSet(key), ISSUER, AUDIENCE, clock),
        waiting=waiting,
        webhooks=webhooks,
        dead_letters=dead_letters,
        services=services,
        streams=Streams(hub, feed, TicketOffice(MemoryTickets(), clock)),
        readiness=readiness,
        sealing_document=SEALING,
        bytes_in_flight=bytes_in_flight,
        seconds_for_a_body=seconds_for_a_body,
        dialects=dialects,
    )
    listener, stopping = socket.create_server(("127.0.0.1", 0)), asyncio.Event()
    serving = asyncio.create_task(HttpServer(app, listener).run(stopping))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    try:
        async with aiohttp.ClientSession() as session:
            yield Door(
                session,
                address,
                key,
                store,
                directory,
                dispatcher,
                waiting,
                webhooks,
                feed,
                hub,
                bell,
                probes,
                dead_letters,
                services,
            )
    finally:
        stopping.set()
        await serving
