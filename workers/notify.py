"""Tells whoever asked: webhooks, and events by AMQP. Opens what endpoints are signed with, and reaches out to them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from certpipe import __version__
from certpipe.broker.topology import EVENTS
from certpipe.core.hygiene import may_open_many
from certpipe.crypto.endpoint_opening import HpkeEndpointOpener
from certpipe.notify.addresses import Network, parse_networks
from certpipe.notify.connecting import open_sessions
from certpipe.notify.delivery import Deliverer
from certpipe.notify.hearing import Hearing
from certpipe.notify.publishing import EventPublisher
from certpipe.notify.relay import RelayService
from certpipe.notify.sending import Sender
from certpipe.notify.tidying import Tidier
from certpipe.process import Process, Service, main
from certpipe.starting import RefusedToStart
from certpipe.store.cursors import StoreCursors
from certpipe.store.deliveries import StoreDeliveries
from certpipe.store.feed import StoreFeed
from certpipe.store.hints import StoreHints
from certpipe.store.relay import StoreRelay


@asynccontextmanager
async def role(process: Process) -> AsyncIterator[Sequence[Service]]:
    """The relay of events, the deliverer of webhooks and the publisher of AMQP events."""
    settings, clock, database = process.settings, process.clock, process.database
    networks = _networks(settings.webhook_networks)
    opener = HpkeEndpointOpener.from_folder(settings.keys)
    may_open_many()
    deliveries = StoreDeliveries(database, process.hinter)
    committed, grown = asyncio.Event(), asyncio.Event()
    async with open_sessions(networks) as sessions:
        deliverer = Deliverer(
            deliveries=deliveries,
            opener=opener,
            sender=Sender(sessions, clock, user_agent=f"certpipe/{__version__}", timeout=settings.webhook_timeout),
            clock=clock,
            at_once=settings.webhook_at_once,
            timeout=settings.webhook_timeout,
        )
        yield [
            Hearing(StoreHints(process.database_url, clock), committed, grown),
            RelayService(relay=StoreRelay(database, process.hinter), heard=committed, wake=deliverer.wake, clock=clock),
            deliverer,
            Tidier(deliveries, clock),
            EventPublisher(
                feed=StoreFeed(database),
                cursors=StoreCursors(database),
                publisher=process.broker.publisher,
                heard=grown,
                exchange=EVENTS,
                clock=clock,
            ),
        ]


def _networks(text: str) -> Sequence[Network]:
    try:
        return parse_networks(text)
    except ValueError as error:
        raise RefusedToStart(f"CERTPIPE_WEBHOOK_NETWORKS cannot be used: {error}") from None


if __name__ == "__main__":
    main("notify", role)
