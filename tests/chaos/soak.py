"""Hours of peace, in which nothing may grow: memory, open files, dead rows."""

import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from certpipe.core.clock import SystemClock
from certpipe.development.postgres import EmbeddedPostgres
from tests.chaos.brokers import BROKERS
from tests.chaos.opening import opened
from tests.chaos.rig import Rig
from tests.chaos.scenario import Scenario
from tests.chaos.scenarios.crashes import nothing

PAIRS = 2_000
SAMPLES = 40
PAUSE = 0.05
_GROWTH = 1.2
_ALLOWED = {"rss_kb": 20_000.0, "files": 16.0, "dead_rows": 50_000.0}
"""What each may grow by beside a fifth of what it was."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one process, or the database, has."""

    whose: str
    what: str
    value: float


async def soak(hours: float, brokers: Sequence[str], say: Callable[[str], None]) -> int:
    """Send the same pairs again and again; 1 when something grew, else 0."""
    folder = Path(tempfile.mkdtemp(prefix="certpipe-soak-"))
    postgres = EmbeddedPostgres(folder, owner=os.getpid())
    broker = BROKERS[brokers[0]]()
    scenario = Scenario("soak", "nothing happens", nothing)
    try:
        async with opened(scenario, broker, postgres, uploads=PAIRS, seed=1) as rig:
            rounds = asyncio.create_task(_send_for_ever(rig))
            readings = await _watch(rig, hours * 3600, say)
            rounds.cancel()
            await asyncio.wait({rounds})
    finally:
        await broker.close()
        postgres.kill()
        shutil.rmtree(folder, ignore_errors=True)
    grown = list(grew(readings))
    for line in grown:
        say(line)
    return int(bool(grown))


def grew(rounds: Sequence[Sequence[Reading]]) -> Sequence[str]:
    """What was clearly more in the last quarter than in the second: the first one warms up."""
    quarter = max(1, len(rounds) // 4)
    lines = []
    for whose, what in sorted({(one.whose, one.what) for one in rounds[-1]}):
        early, late = (
            statistics.median(
                one.value for samples in part for one in samples if (one.whose, one.what) == (whose, what)
            )
            for part in (rounds[quarter : 2 * quarter] or rounds[:1], rounds[-quarter:])
        )
        if late > early * _GROWTH + _ALLOWED[what]:
            lines.append(f"{whose}: {what} grew from {early:.0f} to {late:.0f}")
    return lines


async def _send_for_ever(rig: Rig) -> None:
    """Each round under new keys, so that each upload is a new one."""
    while True:
        rig.load.round += 1
        rig.load.accepted.clear()
        rig.receiver.taken.clear()
        await rig.load.run()
        await SystemClock().wait(PAUSE)


async def _watch(rig: Rig, seconds: float, say: Callable[[str], None]) -> Sequence[Sequence[Reading]]:
    began, rounds = time.monotonic(), []
    for number in range(1, SAMPLES + 1):
        await SystemClock().wait(max(0.0, began + seconds * number / SAMPLES - time.monotonic()))
        readings = [*_of_processes(rig), await _dead_rows(rig)]
        rounds.append(readings)
        rss = sum(one.value for one in readings if one.what == "rss_kb") / 1024
        passed, dead = time.monotonic() - began, readings[-1].value
        say(f"{passed:7.0f} s: {rig.progress.ended()} ended, {rss:.0f} MiB, {dead:.0f} dead rows")
    return rounds


def _of_processes(rig: Rig) -> Sequence[Reading]:
    readings = []
    for program in rig.programs:
        status = Path(f"/proc/{program.pid}/status").read_text(encoding="utf-8")
        rss = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))
        readings.append(Reading(program.name, "rss_kb", float(rss)))
        readings.append(Reading(program.name, "files", float(len(list(Path(f"/proc/{program.pid}/fd").iterdir())))))
    return readings


async def _dead_rows(rig: Rig) -> Reading:
    rows = await rig.query("SELECT coalesce(sum(n_dead_tup), 0) AS dead FROM pg_stat_user_tables")
    return Reading("database", "dead_rows", float(rows[0]["dead"]))
