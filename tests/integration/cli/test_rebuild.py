"""`certpipe rebuild` on a real database, and what `topology migrate` says of a queue."""

import asyncio
import json

import pytest

from certpipe.broker.migration import Migrated
from certpipe.cli.topology import line_of
from certpipe.store.suspects import StoreSuspects
from schemas.status import Stage
from tests.integration.cli.conftest import Run
from tests.integration.storehouse import parked, storehouse


async def _uploads(url: str) -> None:
    async with storehouse(url) as house:
        _, suspect, ended = await house.accepted(3)
        await house.backlog.dispatched(await house.validated(2))
        await StoreSuspects(house.database).suspect([suspect], deaths=2)
        await house.validate.settle([parked(ended)])


async def _due(url: str) -> tuple[int, int]:
    async with storehouse(url) as house:
        due, suspects = await house.backlog.due(10), await StoreSuspects(house.database).due()
        return len(due[Stage.VALIDATE]) + len(due[Stage.ENCRYPT]), len(suspects)


def test_everything_that_has_not_ended_is_due_and_counted(
    run: Run, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asyncio.run(_uploads(database_url))
    monkeypatch.setenv("CERTPIPE_DATABASE_URL", database_url)
    result = run("rebuild", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["due"] == 4
    assert asyncio.run(_due(database_url)) == (3, 1)


def test_a_database_that_is_not_migrated_or_away_is_told(
    run: Run, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CERTPIPE_DATABASE_URL", database_url)
    result = run("rebuild")
    assert (result.exit_code, "certpipe migrate" in result.stderr) == (2, True)
    monkeypatch.setenv("CERTPIPE_DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    assert run("rebuild").exit_code == 3


def test_an_old_queue_that_stays_says_what_to_do() -> None:
    gone, stays = Migrated("certpipe.validate.v1", moved=3, gone=True), Migrated("certpipe.uploads.v1", 0, 2, 1)
    assert line_of(gone).endswith("3 messages moved, gone")
    assert "2 left, 1 consumers" in line_of(stays)
    assert "run this again" in line_of(stays)
