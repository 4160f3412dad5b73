"""The HTTP door, put together."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler

from certpipe.core.ports.dead import DeadLetters
from certpipe.core.ports.directory import Directory
from certpipe.core.ports.doors import Removals, Statuses
from certpipe.core.ports.services import ServiceDesk
from certpipe.ingress.admission import BytesInFlight
from certpipe.ingress.auth import Authenticator
from certpipe.ingress.bodies import SECONDS_FOR_A_BODY, Bodies
from certpipe.ingress.dialects import DialectHandler
from certpipe.ingress.guard import finish_headers, guarded, tell_problems
from certpipe.ingress.intake import IntakeService
from certpipe.ingress.keys import (
    BODIES,
    DEAD_LETTERS,
    DIRECTORY,
    OPENAPI,
    READINESS,
    REMOVALS,
    SEALING_KEYS,
    SERVICE,
    SERVICES,
    STATUSES,
    STREAMS,
    WAITING,
    WEBHOOKS,
    Readiness,
    Streams,
    Webhooks,
)
from certpipe.ingress.mounting import Mounted
from certpipe.ingress.openapi import openapi_document
from certpipe.ingress.openapi_dialects import with_dialects
from certpipe.ingress.route import Route
from certpipe.ingress.routes import ROUTES
from certpipe.ingress.waiting import WaitingRoom
from schemas.sealing import SealingKeysDocument


def create_app(
    *,
    service: IntakeService,
    statuses: Statuses,
    removals: Removals,
    directory: Directory,
    authenticator: Authenticator,
    waiting: WaitingRoom,
    webhooks: Webhooks,
    dead_letters: DeadLetters,
    services: ServiceDesk,
    readiness: Readiness,
    sealing_document: SealingKeysDocument,
    bytes_in_flight: int,
    streams: Streams | None = None,
    seconds_for_a_body: float = SECONDS_FOR_A_BODY,
    routes: Sequence[Route] = ROUTES,
    dialects: Sequence[Mounted] = (),
) -> web.Application:
    """An application that serves `routes` and those of the dialects; the waiting room, and
    the hub of the streams, run for as long as it does.

    `bytes_in_flight` is what the bodies of all requests together may hold in memory.
    """
    app = web.Application(middlewares=[tell_problems])
    app[SERVICE], app[STATUSES], app[DIRECTORY], app[WAITING] = service, statuses, directory, waiting
    app[BODIES] = Bodies(BytesInFlight(bytes_in_flight), seconds=seconds_for_a_body)
    app[REMOVALS], app[WEBHOOKS], app[DEAD_LETTERS] = removals, webhooks, dead_letters
    app[SERVICES] = services
    if streams is not None:
        app[STREAMS] = streams
        app.on_shutdown.append(_end_streams)
        app.cleanup_ctx.append(_run_hub)
    app[READINESS] = readiness
    app[SEALING_KEYS] = sealing_document.model_dump_json().encode()
    described = with_dialects(openapi_document(routes), [mounted.dialect for mounted in dialects])
    app[OPENAPI] = json.dumps(described, ensure_ascii=False).encode()
    for route in routes:
        _add(app, route.method, route.pattern, guarded(route, authenticator))
    for mounted in dialects:
        for spoken in mounted.dialect.routes:
            _add(app, spoken.method, spoken.path, DialectHandler(mounted, spoken, authenticator).handle)
    app.on_response_prepare.append(finish_headers)
    app.on_shutdown.append(_release_who_waits)
    app.cleanup_ctx.append(_run_waiting_room)
    return app


def _add(app: web.Application, method: str, path: str, handler: Handler) -> None:
    if method == "GET":
        app.router.add_get(path, handler)  # and HEAD
    else:
        app.router.add_route(method, path, handler)


async def _run_waiting_room(app: web.Application) -> AsyncIterator[None]:
    running = asyncio.create_task(app[WAITING].run())
    yield
    app[WAITING].close()
    await running


async def _release_who_waits(app: web.Application) -> None:
    app[WAITING].close()


async def _run_hub(app: web.Application) -> AsyncIterator[None]:
    running = asyncio.create_task(app[STREAMS].hub.run())
    yield
    app[STREAMS].hub.close()
    await running


async def _end_streams(app: web.Application) -> None:
    app[STREAMS].hub.close()
