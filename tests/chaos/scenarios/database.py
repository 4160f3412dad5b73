"""PostgreSQL crashes, throws its clients out, has no room for them, or is held up by one of them."""

from typing import Final

import asyncpg

from tests.chaos.rig import Rig
from tests.chaos.scenario import Scenario

_FIRST, _LAST = 0.3, 0.7
_CRASHES = 10
_SECONDS = 8.0


async def crash(rig: Rig) -> None:
    """Kill -9 the whole server, ten times."""
    await rig.at(_FIRST)
    async with rig.fault():
        for turn in range(_CRASHES):
            await rig.at(_FIRST + (_LAST - _FIRST) * turn / _CRASHES)
            rig.postgres.kill()
            await rig.postgres.start()


async def terminate(rig: Rig) -> None:
    """Throw one client out five times a second."""
    await rig.at(_FIRST)
    async with rig.fault():
        for _ in range(int(_SECONDS * 5)):
            pids = [row["pid"] for row in await rig.query(_CLIENTS)]
            if pids:
                await rig.query("SELECT pg_terminate_backend($1)", rig.chance.choice(pids))
            await rig.wait(0.2)


_CLIENTS = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'certpipe' AND datname = current_database() ORDER BY 1"
)


async def exhaust(rig: Rig) -> None:
    """Take every connection that the server has left, throw the clients out, and so keep them from coming again."""
    await rig.at(_FIRST)
    held: list[asyncpg.Connection] = []
    async with rig.fault():
        killer = await asyncpg.connect(rig.database_url)
        try:
            for row in await killer.fetch(_CLIENTS):
                await killer.execute("SELECT pg_terminate_backend($1)", row["pid"])
            for _ in range(200):
                try:
                    held.append(await asyncpg.connect(rig.database_url, timeout=5))
                except (asyncpg.PostgresError, OSError):
                    break
            await rig.wait(_SECONDS)
        finally:
            for connection in (*held, killer):
                await connection.close()
    rig.notes.append(f"{len(held)} connections taken")


async def hold_rows(rig: Rig) -> None:
    """Hold the rows of all uploads that have not ended, then those of all parties, in a transaction that idles."""
    await rig.at(_FIRST)
    connection = await asyncpg.connect(rig.database_url)
    try:
        async with rig.fault():
            for table in ("uploads WHERE due_at IS NOT NULL", "parties"):
                async with connection.transaction():
                    await connection.execute(f"SELECT FROM certpipe.{table} FOR UPDATE")
                    await rig.wait(_SECONDS / 2)
    finally:
        await connection.close()


SCENARIOS: Final = (
    Scenario("database-crash", "kill -9 of PostgreSQL, ten times", crash),
    Scenario("backends", "PostgreSQL terminates a client five times a second", terminate),
    Scenario("no-room", "PostgreSQL has no connection left", exhaust),
    Scenario("held-rows", "somebody holds the rows, and does nothing", hold_rows),
)
