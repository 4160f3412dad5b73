"""One connection to RabbitMQ, kept for ever."""

import asyncio
import logging
from collections.abc import Callable
from typing import cast

import aio_pika
from aiormq.abc import AbstractChannel, AbstractConnection
from aiormq.channel import Channel
from aiormq.exceptions import ConnectionClosed, ConnectionNotAllowed, InvalidFrameError
from yarl import URL

from certpipe.broker import quiet
from certpipe.broker.supervision import RPC_SECONDS, first, keep, part
from certpipe.broker.trouble import explain
from certpipe.core.clock import Clock

HEARTBEAT = 25
"""Seconds; RabbitMQ closes after two that were missed. A URL with its own `heartbeat=` wins."""

CONNECT_SECONDS = 5.0
"""For a connection to be made. Where the network swallows what is sent, the next try is not far."""

_LOG = logging.getLogger(__name__)


async def connect(url: str, *, name: str) -> aio_pika.Connection:
    """Connect once, under a name that RabbitMQ shows its operator.

    Raises what the library raises; `trouble.explain` has words for it.
    """
    quiet.pin()
    named = URL(url)
    if "heartbeat" not in named.query:
        named = named.update_query(heartbeat=HEARTBEAT)
    try:
        return await aio_pika.connect(named, timeout=CONNECT_SECONDS, client_properties={"connection_name": name})
    except InvalidFrameError as error:
        # A refused virtual host comes out of the library as "a frame that was not expected".
        raise ConnectionNotAllowed(named.path.removeprefix("/") or "/") from error


class Link:
    """A connection that is built again whenever it is gone. `up` is set while there is one."""

    def __init__(self, url: str, *, name: str, clock: Clock) -> None:
        self.name = name
        self.up = asyncio.Event()
        self._url = url
        self._transport: AbstractConnection | None = None
        self._dropped = asyncio.Event()
        self._ended = asyncio.Event()
        self._task = asyncio.create_task(keep(self._live, clock=clock, ended=self._ended, report=self._report))

    async def channel(self, *, confirms: bool) -> Channel:
        """A new channel.

        Raises `ConnectionResetError` while there is no connection, and what the library raises.
        """
        if self._transport is None:
            raise ConnectionResetError("there is no connection")
        channel = await self._transport.channel(publisher_confirms=confirms, on_return_raises=True, timeout=RPC_SECONDS)
        return cast("Channel", channel)  # the abstract class lacks publishing without a wait for the socket

    def drop(self) -> None:
        """Give this connection up: it no longer answers. The next one is on its way."""
        self._dropped.set()

    async def close(self) -> None:
        """Close, and stay closed. Idempotent."""
        self._ended.set()
        await asyncio.wait({self._task})

    async def _live(self) -> None:
        self._dropped.clear()
        connection = await connect(self._url, name=self.name)
        try:
            if connection.transport is None:
                raise ConnectionResetError("the connection closed at once")
            transport = connection.transport.connection
            gone = when_closed(transport, asyncio.Event().set)
            self._transport = transport
            self.up.set()
            _LOG.info("%s: connected to RabbitMQ", self.name)
            await first(gone, self._dropped, self._ended)
            if gone.is_set():
                raise _cause(transport)
        finally:
            self.up.clear()
            self._transport = None
            await part(connection.close())

    def _report(self, error: Exception) -> None:
        _LOG.warning("%s: %s", self.name, explain(error))


def when_closed(subject: AbstractConnection | AbstractChannel, call: Callable[[], object]) -> asyncio.Event:
    """An event that is set, after `call` was called, when the connection or the channel closes for any reason."""
    event = asyncio.Event()

    def closed(_: object) -> None:
        call()
        event.set()

    subject.closing.add_done_callback(closed)
    return event


def _cause(transport: AbstractConnection) -> BaseException:
    closing = transport.closing
    error = None if closing.cancelled() else closing.exception()
    return error if isinstance(error, Exception) else ConnectionClosed(0, "closed")
