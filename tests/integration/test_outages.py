"""What certpipe stands on goes away and comes back: nothing accepted is lost, and clients are told the truth.

`CERTPIPE_OUTAGE_UPLOADS` makes it longer.
"""

import asyncio
import base64
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from certpipe.core.clock import SystemClock
from certpipe.development.postgres import EmbeddedPostgres
from certpipe.development.rabbitmq import PrivateRabbit
from certpipe.simulators.authority import RFC, Authority, new_key
from schemas.base import Kind
from tests.chaos.storm import Storm
from tests.installation import Installation
from tests.trusting import trusting

UPLOADS = int(os.environ.get("CERTPIPE_OUTAGE_UPLOADS", "40"))
SECONDS_TO_FORWARD = 30
SECONDS = 90

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300 + UPLOADS)]


@pytest.fixture
async def on_rabbitmq(tmp_path: Path, private_rabbit: PrivateRabbit, database_url: str) -> AsyncIterator[Installation]:
    installation = Installation(
        tmp_path / "data", CERTPIPE_AMQP_URL=private_rabbit.url, CERTPIPE_DATABASE_URL=database_url
    )
    yield await installation.start()
    assert await installation.stop() == 0, installation.log


@pytest.fixture
async def on_postgres(tmp_path: Path, postgres_server: EmbeddedPostgres) -> AsyncIterator[Installation]:
    installation = Installation(tmp_path / "data", CERTPIPE_DATABASE_URL=postgres_server.url)
    yield await installation.start()
    assert await installation.stop() == 0, installation.log


async def test_without_the_broker_uploads_are_accepted_and_forwarded_when_it_is_back(
    on_rabbitmq: Installation, private_rabbit: PrivateRabbit
) -> None:
    storm = Storm(on_rabbitmq, 1)
    for crash in (False, True):
        before = len(storm.accepted)
        sending = asyncio.ensure_future(storm.rain(UPLOADS))  # the broker goes in the midst of it
        await storm._reached(before + UPLOADS // 4)
        if crash:
            private_rabbit.kill()
        else:
            await private_rabbit.stop()
        await sending
        await storm.rain(UPLOADS)
        assert len(storm.accepted) == before + 2 * UPLOADS, on_rabbitmq.log
        await private_rabbit.start()
        began = time.monotonic()
        verdict = await storm.judge()
        took = time.monotonic() - began
        sys.stdout.write(f"\nbroker {'killed' if crash else 'stopped'}: {took:.1f} s, {verdict}\n")
        assert verdict.ends == {"forwarded": len(storm.accepted)}, f"{verdict}\n{on_rabbitmq.log}"
        assert (verdict.ended_twice, verdict.skipped) == (0, 0)
        assert took < SECONDS_TO_FORWARD, on_rabbitmq.log


@dataclass
class Answers:
    """What clients were answered who never stop sending."""

    statuses: Counter[int] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    hasty: int = 0
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def note(self, answer: aiohttp.ClientResponse) -> None:
        self.statuses[answer.status] += 1
        body: dict[str, Any] = await answer.json(content_type=None)
        if answer.status == 202:
            self.accepted.append(body["id"])
        elif answer.status == 503:
            self.hasty += "Retry-After" not in answer.headers
        async with self.changed:
            self.changed.notify_all()

    async def more(self, status: int, count: int) -> None:
        """Wait for so many more answers with this status."""
        wanted = self.statuses[status] + count
        async with asyncio.timeout(SECONDS), self.changed:
            await self.changed.wait_for(lambda: self.statuses[status] >= wanted)


async def send_for_ever(storm: Storm, answers: Answers, stopping: asyncio.Event) -> None:
    party = str((await storm._parties(1))[0])

    async def client(http: aiohttp.ClientSession) -> None:
        while not stopping.is_set():
            async with http.post("/v1/uploads", json={**storm._bundle, "party_id": party}) as answer:
                await answers.note(answer)

    async with storm.installation.client() as http, asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(client(http))


async def test_without_the_database_clients_are_asked_to_come_again_and_nothing_accepted_is_lost(
    on_postgres: Installation, postgres_server: EmbeddedPostgres
) -> None:
    storm, answers, stopping = Storm(on_postgres, 2), Answers(), asyncio.Event()
    sending = asyncio.ensure_future(send_for_ever(storm, answers, stopping))
    await answers.more(202, UPLOADS)
    postgres_server.kill()
    await answers.more(503, 10)
    await postgres_server.start()
    await answers.more(202, UPLOADS)
    stopping.set()
    await sending
    storm.accepted = answers.accepted
    verdict = await storm.judge()
    sys.stdout.write(f"\ndatabase killed: {dict(answers.statuses)}, {verdict}\n")
    assert set(answers.statuses) == {202, 503}, answers.statuses
    assert answers.hasty == 0
    found = (verdict.lost, verdict.stuck, verdict.ended_twice, verdict.skipped)
    assert found == (0, 0, 0, 0), f"{verdict}\n{on_postgres.log}"
    assert set(verdict.ends) <= {"forwarded", "superseded"}, verdict


async def test_a_pac_that_fails_in_every_way_gets_each_certificate_once(tmp_path: Path) -> None:
    authority, key = Authority.create(at=datetime.now(UTC)), new_key()
    installation = await trusting(tmp_path / "data", authority).start()
    control = installation.dev["simulator_url"]
    rules = [
        {"kind": "cut_after_storing", "match": {"method": "POST", "service": "vault"}, "times": 4},
        {"kind": "malformed", "match": {"method": "POST", "service": "vault"}, "times": 2},
        {"kind": "hang", "seconds": 0.5, "times": 4},
        {"kind": "status", "status": 500, "times": 4},
        {"kind": "html", "times": 2},
        {"kind": "cut_before_storing", "times": 2},
    ]
    async with aiohttp.ClientSession() as http:
        async with http.delete(f"{control}/_received") as answer:
            assert answer.ok
        async with http.put(f"{control}/_faults", json=rules) as answer:
            assert answer.ok, await answer.text()
        storm = Storm(installation, 3)
        async with installation.client() as client:
            for party in await storm._parties(16):
                bundle = authority.issue(Kind.CSD, key=key).bundle
                body = {
                    "certificate": base64.b64encode(bundle.certificate).decode(),
                    "private_key": base64.b64encode(bundle.private_key).decode(),
                    "password": bundle.password,
                    "kind": "csd",
                    "party_id": str(party),
                }
                async with client.post("/v1/uploads", json=body) as answer:
                    storm.accepted.append((await answer.json())["id"])
        verdict = await storm.judge()
        async with http.get(f"{control}/_received") as answer:
            received = await answer.json()
        async with http.get(f"{control}/_faults") as answer:
            struck = {rule["kind"]: rule["struck"] for rule in (await answer.json())["rules"]}
    assert await installation.stop() == 0, installation.log
    assert verdict.ends == {"forwarded": 16}, f"{verdict}\n{installation.log}"
    assert (received["total"], received["duplicates"]) == (16, 0), received
    assert struck == {rule["kind"]: rule["times"] for rule in rules}
    assert {item["rfc"] for item in received["items"]} == {RFC}


async def test_told_to_stop_it_finishes_and_goes_on_after(tmp_path: Path) -> None:
    installation = await Installation(tmp_path / "data").start()
    storm = Storm(installation, 4)
    for number in (signal.SIGTERM, signal.SIGINT):
        assert await storm.stopped_by(number, 5 * UPLOADS) == 0, installation.log
    verdict = await storm.judge()
    sys.stdout.write(f"\ntold to stop twice: {verdict}\n")
    assert await installation.stop() == 0, installation.log
    assert "Traceback" not in installation.log
    assert verdict.ends == {"forwarded": len(storm.accepted)}, f"{verdict}\n{installation.log}"


async def test_ctrl_c_during_the_first_upload_is_no_accident(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    await installation.launch()
    async with asyncio.timeout(SECONDS):
        while "first upload" not in installation.log:
            await SystemClock().wait(0.001)
    assert await installation.stop(signal.SIGINT) == 0, installation.log
    assert "Traceback" not in installation.log
    await installation.start()
    assert await installation.stop() == 0, installation.log
