"""One measured round of one contender: warm up, feed, wait until the last is forwarded, count."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import asyncpg

from bench.arms import Arm
from bench.cpu import spent
from bench.grounds import Grounds
from certpipe.core.clock import SystemClock

WARM_UP: Final = 64
SECONDS_TO_DRAIN: Final = 240


@dataclass(frozen=True, slots=True)
class Round:
    """Uploads a second, from the first one accepted to the last one forwarded; CPU in milliseconds per upload."""

    arm: str
    uploads: int
    seconds: float
    rate: float
    feed_seconds: float
    cpu_ms: Mapping[str, float]


async def measure(arm: Arm, grounds: Grounds, *, uploads: int, first_party: int) -> Round:
    """Raises `RuntimeError` when not every upload came out at the PAC exactly once."""
    async with (
        _connected(grounds.postgres.url_for(arm.database)) as database,
        arm.start(grounds, first_party) as running,
    ):
        await running.feeder.ask(WARM_UP)
        await _drained(database, arm)
        pids = {**running.pids, **grounds.servers}
        at_pac, since, before = await _at_pac(grounds), await database.fetchval("SELECT clock_timestamp()"), spent(pids)
        started = asyncio.get_running_loop().time()
        await running.feeder.ask(uploads)
        fed = asyncio.get_running_loop().time() - started
        await _drained(database, arm)
        after = spent(pids)
        row = await database.fetchrow(arm.window, since)
        arrived = await _at_pac(grounds) - at_pac
    if row is None or row["forwarded"] != uploads or arrived != uploads:
        raise RuntimeError(f"{arm.name}: of {uploads} uploads {row and row['forwarded']} ended, {arrived} at the PAC")
    seconds = (row["last"] - row["first"]).total_seconds()
    cpu_ms = {name: (after[name] - before[name]) / uploads * 1_000 for name in pids}
    return Round(arm.name, uploads, seconds, uploads / seconds, fed, cpu_ms)


async def _drained(database: Any, arm: Arm) -> None:
    clock = SystemClock()
    async with asyncio.timeout(SECONDS_TO_DRAIN):
        while await database.fetchval(arm.under_way):
            await clock.wait(0.1)


async def _at_pac(grounds: Grounds) -> int:
    async with aiohttp.ClientSession() as http, http.get(f"{grounds.simulator_url}/_health") as answer:
        return int((await answer.json())["received"])


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()
