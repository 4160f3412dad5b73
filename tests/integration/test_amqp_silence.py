"""The network swallows everything, without a word; and what the log says while all goes well."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from yarl import URL

from certpipe.broker import topology
from certpipe.broker.amqp import AmqpBroker
from certpipe.broker.declare import apply
from certpipe.core.clock import SystemClock
from certpipe.core.errors import Unavailable
from certpipe.core.ports.broker import Message, Settlement
from schemas.status import Stage

QUEUE = topology.queue_of(Stage.VALIDATE)
PATIENCE = 90.0


class Proxy:
    """Stands between a client and RabbitMQ. While `open` is clear it swallows what either says, and closes nothing."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._tasks: set[asyncio.Task[None]] = set()
        self.open = asyncio.Event()
        self.open.set()

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._target)
        for source, sink in ((reader, back), (there, writer)):
            self._tasks.add(asyncio.create_task(self._copy(source, sink)))

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        swallowing = False
        with suppress(OSError):
            while data := await source.read(65536):
                swallowing = swallowing or not self.open.is_set()
                if not swallowing:
                    sink.write(data)
                    await sink.drain()
        sink.close()


@pytest.fixture
async def proxy(amqp_url: str) -> AsyncIterator[Proxy]:
    url = URL(amqp_url)
    proxy = Proxy(url.host or "", url.port or 0)
    yield proxy
    await proxy.stop()


@pytest.mark.slow
async def test_a_connection_that_swallows_everything_is_given_up_and_replaced(amqp_url: str, proxy: Proxy) -> None:
    await apply(amqp_url)
    url = str(URL(amqp_url).with_host("127.0.0.1").with_port(await proxy.start()))
    broker = AmqpBroker(url, role="silence", clock=SystemClock(), patience=1.0, grace=0.1, silence=0.5)
    message = Message(topology.WORK, Stage.VALIDATE, b"through")
    try:
        inbox = broker.inbox(QUEUE, prefetch=5)
        assert await broker.wait_ready(PATIENCE)
        await broker.publisher.publish([message])
        async with asyncio.timeout(PATIENCE):
            await inbox.settle(await inbox.receive(1), Settlement.ACK)
        proxy.open.clear()
        async with asyncio.timeout(PATIENCE):
            with pytest.raises(Unavailable):
                await broker.publisher.publish([message])
            # The consumer asks on its own, and is not answered either.
            await SystemClock().wait(1.0)
            proxy.open.set()
            while True:
                await broker.wait_ready(PATIENCE)
                with suppress(Unavailable):
                    await broker.publisher.publish([Message(topology.WORK, Stage.VALIDATE, b"again")])
                    break
                await SystemClock().wait(0.05)
            got = await inbox.receive(1)
        assert got[0].body in {b"through", b"again"}
    finally:
        await broker.close()


async def test_no_log_shows_what_was_sent_even_at_debug(amqp_url: str, caplog: pytest.LogCaptureFixture) -> None:
    await apply(amqp_url)
    caplog.set_level(logging.DEBUG)
    for name in ("aiormq", "aiormq.connection", "aiormq.channel", "aio_pika", "aio_pika.connection"):
        caplog.set_level(logging.DEBUG, logger=name)
    broker = AmqpBroker(amqp_url, role="quiet", clock=SystemClock(), grace=0.1)
    try:
        assert await broker.wait_ready(PATIENCE)
        inbox = broker.inbox(QUEUE, prefetch=5)
        await broker.publisher.publish([Message(topology.WORK, Stage.VALIDATE, b"CANARY-BODY", "CANARY-ID")])
        with pytest.raises(Unavailable):
            await broker.publisher.publish([Message(topology.WORK, "nowhere", b"CANARY-BODY", "CANARY-ID")])
        async with asyncio.timeout(PATIENCE):
            await inbox.settle(await inbox.receive(1), Settlement.DEAD_LETTER)
    finally:
        await broker.close()
    assert "connected to RabbitMQ" in caplog.text
    assert "CANARY" not in caplog.text
    assert str(URL(amqp_url).password) not in caplog.text
