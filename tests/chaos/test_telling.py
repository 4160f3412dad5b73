"""Every event reaches every endpoint: receivers fail and hang, the notify worker is killed, 75 hours pass.

`CERTPIPE_CHAOS_TOLD` and `CERTPIPE_CHAOS_KILLS` make it longer.
"""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from certpipe.core.clock import SystemClock
from tests.chaos.receiving import Receiver
from tests.chaos.storm import Storm
from tests.installation import ROOT, Installation

UPLOADS = int(os.environ.get("CERTPIPE_CHAOS_TOLD", "60"))
KILLS = int(os.environ.get("CERTPIPE_CHAOS_KILLS", "2"))
SEED = int(os.environ.get("CERTPIPE_CHAOS_SEED", "20261130"))
EVENTS_PER_UPLOAD = 6
WANTED: tuple[tuple[str, ...] | None, ...] = (None, None, ("certificate.forwarded", "upload.rejected"))
LOOK, QUIET = 1.2, 0.4
"""Seconds: the worker looks every one of them, and an attempt hangs for 0.3."""
LEAP = timedelta(hours=6)
LONGEST_PAUSE = timedelta(minutes=6)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300 + UPLOADS // 3)]


class Notifier:
    """The notify worker, and the file by which its clock goes."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation
        self._file = installation.folder.parent / "ahead"
        self._file.write_text("0", encoding="ascii")
        self._ahead = timedelta()
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CERTPIPE_")}
        settings = {**self._installation.environment, "CERTPIPE_DATA_DIR": str(self._installation.folder)}
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.chaos.notifying", str(self._file)), cwd=ROOT, env={**clean, **settings}
        )

    async def stop(self, number: signal.Signals) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(number)
        await self._process.wait()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def leap_to(self, then: datetime) -> None:
        """Let its time pass until then; whoever reads the file meanwhile reads a whole number."""
        self._ahead = max(self._ahead, then - datetime.now(UTC))
        draft = self._file.with_suffix(".new")
        draft.write_text(str(self._ahead.total_seconds()), encoding="ascii")
        draft.replace(self._file)


@pytest.fixture
async def installation(tmp_path: Path, database_url: str) -> AsyncIterator[Installation]:
    running = Installation(
        tmp_path / "data",
        module="tests.chaos.untold",
        CERTPIPE_DATABASE_URL=database_url,
        CERTPIPE_LOG_LEVEL="WARNING",
        CERTPIPE_WEBHOOK_NETWORKS="127.0.0.0/8",
        CERTPIPE_WEBHOOK_TIMEOUT="0.3",
    )
    yield await running.start()
    await running.stop()


@asynccontextmanager
async def receiving() -> AsyncIterator[list[Receiver]]:
    receivers = [Receiver(SEED + number, fails=0.30, hangs=0.05) for number in range(len(WANTED))]
    for receiver in receivers:
        await receiver.start()
    try:
        yield receivers
    finally:
        for receiver in receivers:
            await receiver.stop()


@pytest.fixture
async def notifier(installation: Installation) -> AsyncIterator[Notifier]:
    worker = Notifier(installation)
    await worker.start()
    yield worker
    await worker.stop(signal.SIGTERM)


async def test_every_event_reaches_every_endpoint(
    installation: Installation, notifier: Notifier, database_url: str
) -> None:
    storm = Storm(installation, SEED)
    storm.accepted += await accepted_before(installation)
    async with receiving() as receivers:
        endpoints = [await subscribe(installation, *both) for both in zip(receivers, WANTED, strict=True)]
        killing = asyncio.ensure_future(kill_now_and_then(notifier, receivers))
        await storm.rain(UPLOADS)
        verdict = await storm.judge()
        assert (verdict.lost, verdict.stuck) == (0, 0)
        await pass_the_time(notifier, database_url, receivers)
        await killing
        await pass_the_time(notifier, database_url, receivers)
        missing = [
            expected(storm, types) - set(receiver.taken) for receiver, types in zip(receivers, WANTED, strict=True)
        ]
        exhausted = [await failed_in_the_log(installation, endpoint) for endpoint in endpoints]
        sys.stdout.write(report(verdict.accepted, receivers, missing, exhausted))
        assert missing == exhausted, "what was not taken in ten attempts stands in the log as failed, and nothing else"
        for _ in range(5):
            for endpoint in endpoints:
                await replay_failed(installation, endpoint)
            await pass_the_time(notifier, database_url, receivers)
        for receiver, types in zip(receivers, WANTED, strict=True):
            assert set(receiver.taken) == expected(storm, types)


def report(accepted: int, receivers: list[Receiver], missing: list[set[str]], exhausted: list[set[str]]) -> str:
    return "".join(
        f"\n{accepted} uploads, {KILLS} kills: {len(receiver.taken)} events taken in {receiver.asked} requests, "
        f"{receiver.taken.total() - len(receiver.taken)} of them again; {len(lost - failed)} lost, "
        f"{len(failed)} given up after ten attempts"
        for receiver, lost, failed in zip(receivers, missing, exhausted, strict=True)
    )


def expected(storm: Storm, types: tuple[str, ...] | None) -> set[str]:
    return {
        f"evt_{upload_id.replace('-', '')}_{step['sequence']}"
        for upload_id, history in storm.histories.items()
        for step in history
        if types is None or step["type"] in types
    }


async def subscribe(installation: Installation, receiver: Receiver, types: tuple[str, ...] | None) -> str:
    body = {
        "organization_id": str(installation.organization_id),
        "url": f"http://127.0.0.1:{receiver.port}/hook",
        "types": types,
    }
    async with installation.client() as http, http.post("/v1/webhooks", json=body) as answer:
        document: dict[str, Any] = await answer.json()
        assert answer.status == 201, document
        return str(document["id"])


async def accepted_before(installation: Installation) -> list[str]:
    """The first upload of a new installation: nobody has told of it yet."""
    async with installation.client() as http, http.get("/v1/uploads") as answer:
        return [item["id"] for item in (await answer.json())["items"]]


async def kill_now_and_then(notifier: Notifier, receivers: list[Receiver]) -> None:
    """At random ones of the requests that are to be expected."""
    chance = random.Random(SEED)  # noqa: S311 - repeatable moments, not a secret
    due = sorted(chance.randrange(2 * EVENTS_PER_UPLOAD * UPLOADS) for _ in range(KILLS))
    for count in due:
        while sum(receiver.asked for receiver in receivers) < count:
            await SystemClock().wait(0.005)
        await notifier.stop(signal.SIGKILL)
        await notifier.start()


async def pass_the_time(notifier: Notifier, database_url: str, receivers: list[Receiver]) -> None:
    """Whenever nothing happens for a moment, go to when the next thing is due; until nothing is.

    Over the pause of an endpoint that failed on end only as far as it lasts: there are many of them.
    """
    connection = await asyncpg.connect(database_url)
    try:
        while (due := await connection.fetchval(_NEXT)) is not None:
            ahead = due - notifier.now()
            if ahead > timedelta():
                notifier.leap_to(due + (LEAP if ahead > LONGEST_PAUSE else timedelta(seconds=1)))
            if await asked_within(LOOK, receivers):
                while await asked_within(QUIET, receivers):
                    pass
    finally:
        await connection.close()


async def asked_within(seconds: float, receivers: list[Receiver]) -> bool:
    """Whether anybody is asked before that time is over."""
    before, time = sum(receiver.asked for receiver in receivers), asyncio.get_running_loop().time
    end = time() + seconds
    while time() < end:
        if sum(receiver.asked for receiver in receivers) > before:
            return True
        await SystemClock().wait(0.02)
    return False


_NEXT = """
SELECT least(
    (SELECT min(at) FROM certpipe.events WHERE position IS NULL),
    (SELECT min(greatest(d.due_at, e.paused_until))
     FROM certpipe.deliveries d JOIN certpipe.endpoints e ON e.id = d.endpoint_id
     WHERE d.due_at IS NOT NULL AND e.disabled_at IS NULL)
)
"""


async def failed_in_the_log(installation: Installation, endpoint: str) -> set[str]:
    found: set[str] = set()
    params = {"state": "failed", "limit": "100"}
    async with installation.client() as http:
        while True:
            async with http.get(f"/v1/webhooks/{endpoint}/deliveries", params=params) as answer:
                page = await answer.json()
                assert answer.ok, page
            found |= {item["event_id"] for item in page["items"]}
            if page.get("next") is None:
                return found
            params["cursor"] = str(page["next"])


async def replay_failed(installation: Installation, endpoint: str) -> None:
    path = f"/v1/webhooks/{endpoint}/replay"
    async with installation.client() as http, http.post(path, json={"failed": True}) as answer:
        assert answer.status == 202, await answer.text()
