"""kill -9 of the whole process during uploads. `CERTPIPE_CHAOS_ROUNDS` and `CERTPIPE_CHAOS_UPLOADS` make it longer."""

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos.storm import Storm
from tests.installation import Installation

ROUNDS = int(os.environ.get("CERTPIPE_CHAOS_ROUNDS", "1"))
UPLOADS = int(os.environ.get("CERTPIPE_CHAOS_UPLOADS", "40"))
SEED = int(os.environ.get("CERTPIPE_CHAOS_SEED", "20261130"))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200 + 2 * ROUNDS * (60 + UPLOADS))]


@pytest.fixture
async def in_process(tmp_path: Path) -> AsyncIterator[Storm]:
    installation = await Installation(tmp_path / "data", CERTPIPE_LOG_LEVEL="WARNING").start()
    yield Storm(installation, SEED)
    await installation.stop()


@pytest.fixture
async def on_rabbitmq(tmp_path: Path, amqp_url: str) -> AsyncIterator[Storm]:
    installation = Installation(tmp_path / "data", CERTPIPE_AMQP_URL=amqp_url, CERTPIPE_LOG_LEVEL="WARNING")
    yield Storm(await installation.start(), SEED)
    await installation.stop()


async def expect_nothing_lost(storm: Storm) -> None:
    """Half of the rounds over many parties; in the other half all uploads are for one and supersede each other."""
    for one_party in [False] * ROUNDS + [True] * ROUNDS:
        await storm.round(UPLOADS, one_party=one_party)
    verdict = await storm.judge()
    sys.stdout.write(f"\n{verdict}\n")
    assert verdict.accepted > 0
    assert verdict.kills == 2 * ROUNDS
    found = (verdict.lost, verdict.stuck, verdict.ended_twice, verdict.skipped)
    assert found == (0, 0, 0, 0), f"{verdict}\n{storm.installation.log}"


async def test_every_202_ends_exactly_once_in_process(in_process: Storm) -> None:
    await expect_nothing_lost(in_process)


async def test_every_202_ends_exactly_once_on_rabbitmq(on_rabbitmq: Storm) -> None:
    await expect_nothing_lost(on_rabbitmq)
