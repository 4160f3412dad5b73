"""What handlers find in the application."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from certpipe.core.clock import Clock
from certpipe.core.ports.dead import DeadLetters
from certpipe.core.ports.directory import Directory
from certpipe.core.ports.doors import Removals, Statuses
from certpipe.core.ports.events import Feed
from certpipe.core.ports.services import ServiceDesk
from certpipe.core.ports.webhooks import AddressGuard, Endpoints, EndpointSealer
from certpipe.ingress.bodies import Bodies
from certpipe.ingress.intake import IntakeService
from certpipe.ingress.streams import Hub
from certpipe.ingress.tickets import TicketOffice
from certpipe.ingress.waiting import WaitingRoom
from schemas.health import ProbeView


class Readiness(Protocol):
    """Looks at what the process needs, and what it merely uses."""

    async def __call__(self) -> Sequence[ProbeView]: ...


@dataclass(frozen=True, slots=True)
class Webhooks:
    """What the management of webhook endpoints needs."""

    endpoints: Endpoints
    sealer: EndpointSealer
    guard: AddressGuard
    clock: Clock


@dataclass(frozen=True, slots=True)
class Streams:
    """What streams of events need."""

    hub: Hub
    feed: Feed
    tickets: TicketOffice


SERVICE = web.AppKey("service", IntakeService)
SERVICES = web.AppKey("services", ServiceDesk)
STATUSES = web.AppKey("statuses", Statuses)
DIRECTORY = web.AppKey("directory", Directory)
REMOVALS = web.AppKey("removals", Removals)
WAITING = web.AppKey("waiting", WaitingRoom)
DEAD_LETTERS = web.AppKey("dead_letters", DeadLetters)
WEBHOOKS = web.AppKey("webhooks", Webhooks)
STREAMS = web.AppKey("streams", Streams)
BODIES = web.AppKey("bodies", Bodies)
READINESS = web.AppKey("readiness", Readiness)
SEALING_KEYS = web.AppKey("sealing_keys", bytes)
OPENAPI = web.AppKey("openapi", bytes)
