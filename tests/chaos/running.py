"""One run of one scenario."""

import asyncio
import time

from certpipe.development.postgres import EmbeddedPostgres
from tests.chaos.brokers import Broker
from tests.chaos.checker import judge
from tests.chaos.opening import opened
from tests.chaos.rig import Rig
from tests.chaos.scenario import Scenario
from tests.chaos.verdict import Verdict
from tests.installation import ROOT

LEAST_SECONDS = 400.0
SLOWEST = 10
_LAST_WORDS = 600
_SOURCES = ("src", "workers", "schemas", "tests/chaos/*.py")


async def run(scenario: Scenario, broker: Broker, postgres: EmbeddedPostgres, *, uploads: int, seed: int) -> Verdict:
    """Send the uploads, do what the scenario does meanwhile, and judge."""
    began = time.monotonic()
    verdict = Verdict(scenario.name, broker.name, seed, uploads, commit=await commit(), control=scenario.control)
    async with opened(scenario, broker, postgres, uploads=uploads, seed=seed) as rig:
        await _act(scenario, rig)
        await judge(rig, verdict, scenario)
        if not verdict.good:
            verdict.notes += _last_words(rig)
    verdict.seconds = time.monotonic() - began
    return verdict


async def commit() -> str:
    """Which sources ran; empty outside of a checkout. What a run writes, the table, does not make them other ones."""
    short = await _git("rev-parse", "--short", "HEAD")
    return f"{short}-dirty" if await _git("diff", "--name-only", "HEAD", "--", *_SOURCES) else short


async def _git(*words: str) -> str:
    process = await asyncio.create_subprocess_exec(
        "git", *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    said, _ = await process.communicate()
    return said.decode().strip()


async def _act(scenario: Scenario, rig: Rig) -> None:
    """Until all are sent, and the fault is over; but not for ever."""
    sending = asyncio.create_task(rig.load.run())
    try:
        async with asyncio.timeout(LEAST_SECONDS + len(rig.load.pairs) / SLOWEST):
            await scenario.act(rig)
            await sending
    except TimeoutError:
        rig.hollow.append("given up: it took too long")
    finally:
        sending.cancel()
        await asyncio.wait({sending})


def _last_words(rig: Rig) -> list[str]:
    logs = [(log.name, log.read_text(encoding="utf-8", errors="replace")) for log in sorted(rig.folder.glob("*.log"))]
    return [f"{name}: {text[-_LAST_WORDS:]}" for name, text in logs if text]
