"""The notify worker as it runs: within a whole certpipe, on RabbitMQ, and killed in the middle."""

import asyncio
import base64
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

from certpipe.broker.declare import apply
from certpipe.core.clock import SystemClock
from certpipe.core.ports.doors import Follower
from certpipe.core.ports.events import Told
from schemas.events import EventType
from tests.installation import Installation
from tests.integration.notifyhouse import LOOPBACK, SECONDS, Notifyhouse, Receiver, notifyhouse, receiving
from tests.servers import run

pytestmark = pytest.mark.slow


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[Notifyhouse]:
    async with notifyhouse(database_url, tmp_path) as made:
        yield made


async def test_whoever_makes_an_endpoint_by_http_gets_the_signed_events_of_an_upload(
    tmp_path: Path, database_url: str, receiver: Receiver
) -> None:
    installation = await Installation(tmp_path / "data", CERTPIPE_DATABASE_URL=database_url).start()
    async with installation.client() as http:
        made = {"organization_id": str(installation.organization_id), "url": receiver.url}
        async with http.post("/v1/webhooks", json=made) as answer:
            assert answer.status == 201, await answer.text()
            receiver.secret = (await answer.json())["secret"]
        async with http.post("/v1/uploads", json=bundle(installation), headers={"Prefer": "wait=60"}) as answer:
            status = await answer.json()
        assert status["state"] == "forwarded", status
        theirs = [f"evt_{status['id'].replace('-', '')}_{entry['sequence']}" for entry in status["history"]]
        await receiver.until(lambda: set(theirs) <= set(receiver.ids))
    assert EventType.FORWARDED in {each.event.type for each in receiver.got}
    assert await installation.stop() == 0, installation.log


def bundle(installation: Installation) -> dict[str, Any]:
    folder = installation.folder / "demo"
    return {
        "certificate": base64.b64encode((folder / "csd.cer").read_bytes()).decode(),
        "private_key": base64.b64encode((folder / "csd.key").read_bytes()).decode(),
        "password": (folder / "password.txt").read_text(encoding="utf-8"),
        "party_id": installation.dev["parties"]["csd"],
        "kind": "csd",
    }


async def test_a_subscriber_and_a_follower_get_every_event_by_amqp(house: Notifyhouse, amqp_url: str) -> None:
    run(apply(amqp_url))
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        mine, foreign, replies = [await channel.declare_queue(exclusive=True) for _ in range(3)]
        await mine.bind("certpipe.events", f"{house.house.organization.id}.#")
        await foreign.bind("certpipe.events", f"{await house.telling.organization()}.#")
        async with house.notifying(amqp_url=amqp_url):
            followed = replace(house.house.new(), follower=Follower(replies.name, "mine-1"))
            accepted = await house.house.intake.accept(followed)
            await house.house.validate.settle([house.house.proved(accepted.ref)])
            await house.house.stored()
            told = {each.event.id: each for each in await _all(house, 6)}
            came = [await _next(mine) for _ in told]
            answers = [await _next(replies) for _ in range(2)]
        assert {message.message_id for message in came} == set(told)
        for message in came:
            event = told[str(message.message_id)].event
            assert message.routing_key == f"{house.house.organization.id}.{event.type}"
            assert message.body == event.body()
            assert message.delivery_mode == aio_pika.DeliveryMode.PERSISTENT
        assert [told[str(answer.message_id)].event.type for answer in answers] == [
            EventType.RECEIVED,
            EventType.VALIDATED,
        ]
        assert {answer.correlation_id for answer in answers} == {"mine-1"}
        assert await foreign.get(fail=False) is None


async def test_a_full_queue_that_rejects_costs_the_other_subscribers_one_minute_and_no_event(
    house: Notifyhouse, amqp_url: str
) -> None:
    run(apply(amqp_url))
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        mine = await channel.declare_queue(exclusive=True)
        full = await channel.declare_queue(
            exclusive=True, arguments={"x-max-length": 1, "x-overflow": "reject-publish"}
        )
        for queue in (mine, full):
            await queue.bind("certpipe.events", "#")
        ids = {f"evt_{each.hex}_1" for each in await house.telling.events(3)}
        async with house.notifying(amqp_url=amqp_url):
            await _has_come(mine, ids)
            house.clock.ahead += timedelta(minutes=1)
            for _ in range(3):
                ids = {f"evt_{each.hex}_1" for each in await house.telling.events(1)}
                await _has_come(mine, ids)


async def _has_come(queue: AbstractQueue, ids: set[str]) -> None:
    """Wait until each of these events was taken from the queue, however often."""
    left = set(ids)
    while left:
        left.discard(str((await _next(queue)).message_id))


async def _all(house: Notifyhouse, count: int) -> Sequence[Told]:
    async with asyncio.timeout(SECONDS):
        while len(told := await house.telling.all()) < count:
            await SystemClock().wait(0.05)
    return told


async def _next(queue: AbstractQueue) -> AbstractIncomingMessage:
    async with asyncio.timeout(SECONDS):
        while (message := await queue.get(no_ack=True, fail=False)) is None:
            await SystemClock().wait(0.02)
    return message


async def test_a_process_that_is_killed_in_the_middle_loses_nothing(
    house: Notifyhouse, amqp_url: str, receiver: Receiver
) -> None:
    run(apply(amqp_url))
    endpoint = await house.endpoint(receiver)
    subjects = await house.telling.events(300)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CERTPIPE_")},
        "CERTPIPE_AMQP_URL": amqp_url,
        "CERTPIPE_DATABASE_URL": house.house.url,
        "CERTPIPE_KEYS_DIR": str(house.folder),
        "CERTPIPE_WEBHOOK_NETWORKS": LOOPBACK,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "workers.notify"), cwd=Path(__file__).parents[2], env=environment
    )
    await receiver.until(lambda: len(receiver.got) >= 20)
    receiver.hang = asyncio.Event()
    await receiver.until(lambda: len(receiver.got) >= 24)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    receiver.hang.set()
    assert len(set(receiver.ids)) < 300
    house.clock.ahead = timedelta(minutes=2)  # past every lease
    async with house.notifying(amqp_url=amqp_url):
        await receiver.until(lambda: set(receiver.ids) == {f"evt_{each.hex}_1" for each in subjects})
        await house.until(endpoint, lambda log, _: {each.state for each in log} == {"delivered"})


async def test_networks_that_are_none_refuse_to_start_with_the_remedy(tmp_path: Path, database_url: str) -> None:
    installation = Installation(
        tmp_path / "data", CERTPIPE_DATABASE_URL=database_url, CERTPIPE_WEBHOOK_NETWORKS="10.1.0.0/16, my-network"
    )
    await installation.launch()
    assert await installation.ended() == 2
    assert "CERTPIPE_WEBHOOK_NETWORKS" in installation.log
    assert "10.1.0.0/16" in installation.log
