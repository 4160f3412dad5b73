"""The runner: once, in order, and never on a database that is not ours."""

import asyncio

import asyncpg
import pytest

from certpipe.store.database import Database
from certpipe.store.migrate import DatabaseRefusedError, Migration, migrate, migrations
from schemas.status import State
from tests.integration.storehouse import storehouse

FIRST = Migration(1, "0001_first.sql", "CREATE TABLE certpipe.things (id integer)")
SECOND = Migration(2, "0002_second.sql", "ALTER TABLE certpipe.things ADD COLUMN name text")


async def _run(url: str, sql: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_applies_what_is_missing_in_order_and_nothing_twice(database_url: str) -> None:
    assert await migrate(database_url, [FIRST]) == ["0001_first.sql"]
    assert await migrate(database_url, [FIRST, SECOND]) == ["0002_second.sql"]
    assert await migrate(database_url, [FIRST, SECOND]) == []


async def test_runs_once_when_many_start_at_once(database_url: str) -> None:
    applied = await asyncio.gather(*(migrate(database_url) for _ in range(8)))
    assert sorted(map(len, applied)) == [0] * 7 + [len(migrations())]


async def test_a_file_that_fails_leaves_nothing_behind(database_url: str) -> None:
    broken = Migration(2, "0002_broken.sql", "CREATE TABLE certpipe.half (id integer); SELECT 1 / 0")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(database_url, [FIRST, broken])
    assert await _run(database_url, "SELECT to_regclass('certpipe.half')") is None
    assert await migrate(database_url, [FIRST, SECOND]) == ["0002_second.sql"]


async def test_refuses_a_file_that_was_edited_after_it_was_applied(database_url: str) -> None:
    await migrate(database_url, [FIRST])
    edited = Migration(1, FIRST.name, FIRST.sql + " -- changed")
    with pytest.raises(DatabaseRefusedError, match=r"0001_first\.sql is not what was applied.*restore that file"):
        await migrate(database_url, [edited])


async def test_refuses_a_newer_schema_and_names_the_remedy(database_url: str) -> None:
    await migrate(database_url, [FIRST, SECOND])
    with pytest.raises(DatabaseRefusedError, match=r"version 2, newer than this program.*install the newer certpipe"):
        await migrate(database_url, [FIRST])


async def test_refuses_somebody_elses_database_and_leaves_it_alone(database_url: str) -> None:
    await _run(database_url, "CREATE TABLE public.invoices (id integer)")
    with pytest.raises(DatabaseRefusedError, match=r"public\.invoices, which is not certpipe's: create an empty"):
        await migrate(database_url)
    assert await _run(database_url, "SELECT to_regnamespace('certpipe')") is None


async def test_tables_that_come_later_do_not_lock_certpipe_out(database_url: str) -> None:
    await migrate(database_url, [FIRST])
    await _run(database_url, "CREATE TABLE public.report (id integer)")
    assert await migrate(database_url, [FIRST, SECOND]) == ["0002_second.sql"]


async def test_the_pool_refuses_a_database_that_was_not_migrated(database_url: str) -> None:
    with pytest.raises(DatabaseRefusedError, match="run `certpipe migrate`"):
        await Database.open(database_url)


async def test_the_pool_refuses_a_database_that_may_forget_what_was_committed(database_url: str) -> None:
    await migrate(database_url)
    name = await _run(database_url, "SELECT quote_ident(current_database())")
    await _run(database_url, f"ALTER DATABASE {name} SET synchronous_commit = off")
    with pytest.raises(DatabaseRefusedError, match=r"synchronous_commit is off.*set it to on"):
        await Database.open(database_url)


async def test_a_database_that_does_not_exist_is_refused_in_words(database_url: str) -> None:
    with pytest.raises(DatabaseRefusedError, match="does not exist: create it"):
        await migrate(database_url.replace("certpipe_test_", "certpipe_missing_"))


async def test_the_states_in_the_database_are_the_states_in_the_contract(database_url: str) -> None:
    await migrate(database_url)
    assert await _run(database_url, "SELECT enum_range(NULL::certpipe.state)::text[]") == list(State)


async def test_the_database_calls_the_same_states_ended(database_url: str) -> None:
    async with storehouse(database_url) as house:
        rows = await house.database.fetch(
            "SELECT s::text AS state, certpipe.ended(s, false) AS upload, certpipe.ended(s, true) AS check "
            "FROM unnest(enum_range(NULL::certpipe.state)) s"
        )
    ends = {State.FORWARDED, State.REJECTED, State.FAILED, State.SUPERSEDED}
    assert {row["state"] for row in rows if row["upload"]} == ends
    assert {row["state"] for row in rows if row["check"]} == {*ends, State.VALIDATED}
