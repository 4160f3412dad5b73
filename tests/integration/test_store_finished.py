"""What looks every second, or every minute, reads nothing of what has ended, however much of that there is."""

import json
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from bench.finished import EVENTS_EACH, fill
from certpipe.core.clock import SystemClock
from certpipe.core.ids import uuid7
from certpipe.store.backlog import StoreBacklog
from certpipe.store.cursors import StoreCursors
from certpipe.store.database import Database, Record, Session
from certpipe.store.deliveries import StoreDeliveries
from certpipe.store.feed import StoreFeed
from certpipe.store.hinting import Hinter
from certpipe.store.migrate import migrate
from certpipe.store.named import queries
from certpipe.store.relay import StoreRelay

FINISHED = 20_000
MOST_BLOCKS = 80
"""A table of so many uploads has many times that; a way down an index has three or four."""


class Explained:
    """The database; of every statement it notes first how many blocks it reads."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.blocks: list[tuple[int, str]] = []

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Record]:
        await self._explain(sql, *arguments)
        return await self.database.fetch(sql, *arguments)

    async def fetchrow(self, sql: str, *arguments: object) -> Record | None:
        await self._explain(sql, *arguments)
        return await self.database.fetchrow(sql, *arguments)

    async def execute(self, sql: str, *arguments: object) -> None:
        await self._explain(sql, *arguments)
        await self.database.execute(sql, *arguments)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        yield cast("Session", self)

    async def _explain(self, sql: str, *arguments: object) -> None:
        if not sql.startswith("SET"):
            rows = await self.database.fetch(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", *arguments)
            plan: dict[str, Any] = json.loads(rows[0][0])[0]["Plan"]
            self.blocks.append((plan["Shared Hit Blocks"] + plan["Shared Read Blocks"], sql))


@asynccontextmanager
async def _explained(url: str) -> AsyncIterator[tuple[Explained, Database]]:
    await migrate(url)
    await fill(url, FINISHED)
    database = await Database.open(url)
    explained = Explained(database)
    try:
        yield explained, cast("Database", explained)
    finally:
        await database.close()


def _all_few(explained: Explained, statements: int) -> None:
    assert len(explained.blocks) >= statements
    assert [(blocks, sql) for blocks, sql in explained.blocks if blocks > MOST_BLOCKS] == []


async def test_the_sweeper_reads_nothing_of_what_has_ended(database_url: str) -> None:
    async with _explained(database_url) as (explained, database):
        backlog = StoreBacklog(database, SystemClock())
        assert await backlog.due(500) == {}
        assert await backlog.depth() == 0
        assert await backlog.redrive() == 0
        await backlog.sweep()
        _all_few(explained, 7)


@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
async def test_what_is_due_is_found_in_indexes_of_what_has_not_ended(database_url: str, mode: str) -> None:
    async with _explained(database_url) as (explained, _), explained.database.transaction() as session:
        await session.execute(f"SET LOCAL plan_cache_mode = {mode}")
        await session.execute(f"PREPARE due AS {queries('backlog')['due']}")
        plan = await session.fetchval("EXPLAIN (FORMAT JSON) EXECUTE due (500, 5000)")
        assert set(re.findall(r'"Index Name": "(\w+)"', plan)) == {"uploads_due", "uploads_fair", "uploads_pkey"}
        assert '"Seq Scan"' not in plan


async def test_those_who_tell_read_nothing_of_what_was_told(database_url: str) -> None:
    async with _explained(database_url) as (explained, database):
        clock, now = SystemClock(), datetime.now(UTC)
        hinter = Hinter(database, clock)
        assert (await StoreRelay(database, hinter).place(500, now)).events == 0
        deliveries = StoreDeliveries(database, hinter)
        assert await deliveries.waiting(now) == []
        assert await deliveries.next_due() is None
        cursors, owner = StoreCursors(database), uuid7()
        position = await cursors.take("amqp", owner, now, now + timedelta(seconds=30))
        assert position == FINISHED * EVENTS_EACH
        assert await StoreFeed(database).after(position, 500) == []
        assert await StoreFeed(database).last() == position
        await deliveries.tidy(now)
        _all_few(explained, 7)


async def test_a_look_that_reads_a_whole_table_would_be_seen(database_url: str) -> None:
    async with _explained(database_url) as (explained, database):
        await database.fetch("SELECT count(*) FROM certpipe.uploads WHERE updated_at > now()")
        assert explained.blocks[0][0] > 5 * MOST_BLOCKS
