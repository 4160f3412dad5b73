"""The example subscriber against a real RabbitMQ: it prints what it is told, and acknowledges it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
import pytest

from certpipe.broker import topology
from certpipe.broker.connection import connect
from certpipe.broker.declare import apply
from schemas.event_examples import example
from schemas.events import Event, EventType
from tests.languages import EXAMPLES

PATIENCE = 90.0
QUEUE = "sub.erp.events"


@asynccontextmanager
async def subscriber(amqp_url: str, *types: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """One that listens."""
    organization = str(example(EventType.FORWARDED).data.organization_id)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "python/subscriber.py", "--organization", organization, "--queue", QUEUE, *types),
        cwd=EXAMPLES,
        env={**os.environ, "AMQP_URL": amqp_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        said = await asyncio.wait_for(process.stderr.readline(), PATIENCE)
        assert said == b"listening\n", said.decode()
        yield process
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 130
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def publish(amqp_url: str, *events: Event) -> None:
    """As the relay does."""
    async with await connect(amqp_url, name="examples.test") as connection:
        exchange = await (await connection.channel()).get_exchange(topology.EVENTS)
        for event in events:
            message = aio_pika.Message(event.body(), message_id=event.id)
            await exchange.publish(message, f"{event.data.organization_id}.{event.type}", mandatory=False)


async def told(process: asyncio.subprocess.Process) -> str:
    """The next line."""
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode()


async def test_the_subscriber_prints_what_it_asked_for_and_gets_nothing_twice(amqp_url: str) -> None:
    await apply(amqp_url)
    forwarded, failed, stored = map(example, (EventType.FORWARDED, EventType.FAILED, EventType.STORED))
    async with subscriber(amqp_url, "--types", "certificate.*", "upload.failed") as process:
        await publish(amqp_url, example(EventType.RECEIVED), forwarded, failed)
        assert [forwarded.id in await told(process), failed.id in await told(process)] == [True, True]
    async with subscriber(amqp_url, "--types", "certificate.*") as process:
        await publish(amqp_url, stored)
        lines = [await told(process)]
        while stored.id not in lines[-1]:  # the first may have been interrupted before it acknowledged its last one
            lines.append(await told(process))
        assert forwarded.id not in "".join(lines)


async def test_the_subscriber_fails_in_one_line_without_the_exchange(amqp_url: str) -> None:
    with pytest.raises(AssertionError, match="ChannelClosedByBroker"):
        async with subscriber(amqp_url):
            pass
