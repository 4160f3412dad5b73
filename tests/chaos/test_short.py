"""A few minutes of what `make chaos` does for hours; and that the checker finds what it is there to find.

`CERTPIPE_CHAOS_UPLOADS` and `CERTPIPE_CHAOS_SEED` make it longer, and other.
"""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest

from certpipe.development.postgres import EmbeddedPostgres
from tests import servers
from tests.chaos.brokers import BROKERS, Broker
from tests.chaos.running import run
from tests.chaos.scenario import Scenario
from tests.chaos.scenarios import SCENARIOS, crashes, pac
from tests.chaos.verdict import Verdict

UPLOADS = int(os.environ.get("CERTPIPE_CHAOS_UPLOADS", "100"))
SEED = int(os.environ.get("CERTPIPE_CHAOS_SEED", "20261130"))

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400 + UPLOADS)]


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    folder: Path = tmp_path_factory.mktemp("chaos-postgres")
    server = EmbeddedPostgres(folder, owner=os.getpid())
    yield server
    server.kill()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def rabbitmq() -> Iterator[Broker]:
    servers.install_rabbitmq()
    broker = BROKERS["rabbitmq310"]()
    yield broker
    servers.run(broker.close())


@pytest.fixture
async def in_process() -> AsyncIterator[Broker]:
    broker = BROKERS["inprocess"]()
    yield broker
    await broker.close()


def expect_good(verdict: Verdict) -> None:
    assert verdict.good, f"{verdict.faults} {verdict.ends}\n" + "\n".join(verdict.notes)
    assert verdict.accepted == UPLOADS


async def test_deaths_at_named_points_lose_nothing_in_process(in_process: Broker, postgres: EmbeddedPostgres) -> None:
    scenario = Scenario("some-points", "", partial(crashes.die_at_every_point, most=2), told=False)
    verdict = await run(scenario, in_process, postgres, uploads=UPLOADS, seed=SEED)
    expect_good(verdict)
    assert "died at 2 of 2 points" in verdict.notes


async def test_deaths_at_named_points_lose_nothing_on_rabbitmq(rabbitmq: Broker, postgres: EmbeddedPostgres) -> None:
    scenario = Scenario("some-points", "", partial(crashes.die_at_every_point, most=2), told=False)
    verdict = await run(scenario, rabbitmq, postgres, uploads=UPLOADS, seed=SEED)
    expect_good(verdict)
    assert "died at 2 of 2 points" in verdict.notes


async def test_messages_that_come_three_times_change_nothing(rabbitmq: Broker, postgres: EmbeddedPostgres) -> None:
    expect_good(await run(SCENARIOS["duplicates"], rabbitmq, postgres, uploads=UPLOADS, seed=SEED))


async def test_a_pac_that_stores_and_does_not_say_so_gets_nothing_twice(
    in_process: Broker, postgres: EmbeddedPostgres
) -> None:
    scenario = Scenario("ambiguous", "", partial(pac.ambiguous, seconds=3.0))
    expect_good(await run(scenario, in_process, postgres, uploads=UPLOADS, seed=SEED))


async def test_control_who_acknowledges_first_is_found_to_lose(rabbitmq: Broker, postgres: EmbeddedPostgres) -> None:
    verdict = await run(SCENARIOS["acks-first"], rabbitmq, postgres, uploads=UPLOADS, seed=SEED)
    assert verdict.good, verdict
    assert verdict.stuck > 0, verdict


async def test_who_dies_the_same_death_and_acknowledges_last_loses_nothing(
    rabbitmq: Broker, postgres: EmbeddedPostgres
) -> None:
    expect_good(await run(SCENARIOS["acks-last"], rabbitmq, postgres, uploads=UPLOADS, seed=SEED))


async def test_control_who_forgets_what_was_sent_is_found_to_send_twice(
    rabbitmq: Broker, postgres: EmbeddedPostgres
) -> None:
    verdict = await run(SCENARIOS["forgets-intents"], rabbitmq, postgres, uploads=UPLOADS, seed=SEED)
    assert verdict.good, verdict
    assert verdict.duplicates > 0, verdict
