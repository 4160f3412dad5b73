"""The doors, HTTP and AMQP. Holds public keys only: it seals, and can open nothing that it sealed."""

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path

from aiohttp import web

from certpipe.broker.topology import DEAD, UPLOADS_QUEUE
from certpipe.crypto.endpoint_sealing import HpkeEndpointSealer
from certpipe.crypto.keyfiles import load_fingerprint_key
from certpipe.crypto.sealing import HpkeSealer, SealingKeys
from certpipe.dialects import DIALECTS
from certpipe.ingress.amqp import PREFETCH, ProducersDoor
from certpipe.ingress.app import create_app
from certpipe.ingress.auth import JwtAuthenticator
from certpipe.ingress.intake import IntakeService
from certpipe.ingress.jwks import JwksFile, KeySource
from certpipe.ingress.jwks_url import JwksUrl
from certpipe.ingress.keys import Streams, Webhooks
from certpipe.ingress.mounting import Mounted, mounted
from certpipe.ingress.recent import RecentDirectory
from certpipe.ingress.server import HttpServer
from certpipe.ingress.streams import Hub
from certpipe.ingress.tickets import TicketOffice
from certpipe.ingress.waiting import WaitingRoom
from certpipe.notify.addresses import parse_networks
from certpipe.notify.connecting import Lookup
from certpipe.notify.guard import UrlGuard
from certpipe.process import Process, Service, listening, main
from certpipe.starting import RefusedToStart
from certpipe.store.dead import StoreDeadLetters
from certpipe.store.directory import StoreDirectory
from certpipe.store.endpoints import StoreEndpoints
from certpipe.store.feed import StoreFeed
from certpipe.store.hints import StoreHints
from certpipe.store.intake import StoreIntake
from certpipe.store.removal import StoreRemovals
from certpipe.store.services import StoreServices
from certpipe.store.statuses import StoreStatuses
from certpipe.store.tickets import StoreTickets
from schemas.health import ProbeView


@asynccontextmanager
async def role(process: Process, listener: socket.socket | None = None) -> AsyncIterator[Sequence[Service]]:
    """Both doors."""
    settings = process.settings
    directory = RecentDirectory(StoreDirectory(process.database), process.clock)
    service = IntakeService(
        intake=StoreIntake(process.database),
        directory=directory,
        sealer=HpkeSealer.from_folder(settings.keys),
        dispatcher=process.dispatcher,
        backlog=process.backlog,
        fingerprint_key=load_fingerprint_key(settings.keys),
        limit=settings.backlog_limit,
        organization_limit=settings.organization_limit,
    )
    with closing(Lookup()) as lookup:
        app = _application(process, service, directory, _webhooks(process, lookup))
        yield [
            HttpServer(app, listener or listening(settings.http_host, settings.http_port)),
            ProducersDoor(
                inbox=process.broker.inbox(UPLOADS_QUEUE, prefetch=PREFETCH),
                publisher=process.broker.publisher,
                service=service,
                directory=directory,
                dead_letters=DEAD,
                clock=process.clock,
            ),
        ]


def _application(
    process: Process, service: IntakeService, directory: RecentDirectory, webhooks: Webhooks
) -> web.Application:
    settings = process.settings
    statuses = StoreStatuses(process.database)

    async def readiness() -> Sequence[ProbeView]:
        return [
            ProbeView(name="database", ok=await process.database.answers(), required=True),
            ProbeView(name="broker", ok=process.broker.publisher.ready, required=False),
        ]

    return create_app(
        service=service,
        statuses=statuses,
        removals=StoreRemovals(process.database, process.hinter),
        directory=directory,
        authenticator=JwtAuthenticator(
            keys=_keys(settings.jwks, process),
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
            clock=process.clock,
            most_lifetime=timedelta(hours=settings.jwt_most_hours),
        ),
        waiting=WaitingRoom(statuses, process.clock, StoreHints(process.database_url, process.clock)),
        readiness=readiness,
        sealing_document=SealingKeys.from_folder(settings.keys).document,
        bytes_in_flight=settings.bytes_in_flight,
        webhooks=webhooks,
        dead_letters=StoreDeadLetters(process.database),
        services=StoreServices(process.database),
        streams=_streams(process, statuses),
        dialects=_dialects(process),
    )


def _webhooks(process: Process, lookup: Lookup) -> Webhooks:
    settings = process.settings
    try:
        networks = parse_networks(settings.webhook_networks)
    except ValueError as error:
        raise RefusedToStart(f"CERTPIPE_WEBHOOK_NETWORKS cannot be used: {error}") from None
    return Webhooks(
        endpoints=StoreEndpoints(process.database, process.hinter),
        sealer=HpkeEndpointSealer.from_folder(settings.keys),
        guard=UrlGuard(networks, lookup),
        clock=process.clock,
    )


def _streams(process: Process, statuses: StoreStatuses) -> Streams:
    feed = StoreFeed(process.database)
    return Streams(
        hub=Hub(feed, statuses, process.clock, StoreHints(process.database_url, process.clock)),
        feed=feed,
        tickets=TicketOffice(StoreTickets(process.database), process.clock),
    )


def _dialects(process: Process) -> Sequence[Mounted]:
    settings = process.settings
    try:
        return mounted(
            DIALECTS,
            clock=process.clock,
            seconds=settings.dialect_wait,
            names=settings.dialects,
            until=settings.dialect_until,
        )
    except ValueError as error:
        raise RefusedToStart(f"CERTPIPE_DIALECTS or CERTPIPE_DIALECT_UNTIL cannot be used: {error}") from None


def _keys(jwks: str | None, process: Process) -> KeySource:
    if jwks is None:
        raise RefusedToStart("set CERTPIPE_JWKS to the file or the https address of the JWK set of your token issuer")
    try:
        return JwksUrl(jwks, process.clock) if "://" in jwks else JwksFile(Path(jwks))
    except (OSError, ValueError) as error:
        raise RefusedToStart(f"CERTPIPE_JWKS cannot be used: {error}") from None


if __name__ == "__main__":
    main("ingress", role)
