"""The pool: the one way to the database, with its limits and its errors made ours."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Self, TypeAlias

import asyncpg

from certpipe.core.errors import Unavailable
from certpipe.store.failures import AWAY, unavailable
from certpipe.store.migrate import DatabaseRefusedError, connect, require_current

Record = asyncpg.Record
Session: TypeAlias = "asyncpg.pool.PoolConnectionProxy[Record]"

# Every query goes by a key. A plan that was made and kept while a table was small must not scan it when it has grown,
# so the planner is not offered the plans that read whole tables. The compiler (jit) only costs here.
_SESSION = {
    "application_name": "certpipe",
    "idle_in_transaction_session_timeout": "10s",
    "lock_timeout": "2s",
    "timezone": "UTC",
    "jit": "off",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
}
_COMMAND_TIMEOUT = 10.0
_ACQUIRE_TIMEOUT = 5.0


class Database:
    """A pool of connections to a migrated database.

    Every method raises `Unavailable` when the database is away or did not answer in time: then it is not known whether
    something was written. An error about the data is raised as the driver's.
    """

    def __init__(self, pool: "asyncpg.Pool[Record]") -> None:
        self._pool = pool

    @classmethod
    async def open(cls, url: str, *, connections: int = 8) -> Self:
        """Connect. Raises `Unavailable`, or `DatabaseRefusedError` for a database that cannot keep the promises."""
        with unavailable():
            await _examine(url)
            pool = await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=connections,
                timeout=_COMMAND_TIMEOUT,
                command_timeout=_COMMAND_TIMEOUT,
                server_settings=_SESSION,
                max_queries=1_000_000,
                max_cached_statement_lifetime=0,
                reset=_nothing_to_reset,
            )
        return cls(pool)

    async def close(self) -> None:
        """Wait a few seconds for what runs, then close. Idempotent."""
        try:
            async with asyncio.timeout(_ACQUIRE_TIMEOUT):
                await self._pool.close()
        except AWAY:
            self._pool.terminate()

    async def answers(self) -> bool:
        """Whether the database is there now. Never raises."""
        try:
            await self.execute("SELECT 1")
        except Unavailable:
            return False
        return True

    async def fetch(self, sql: str, *arguments: object) -> Sequence[Record]:
        """The rows of one statement, which is a durable transaction of its own."""
        async with self._connection() as connection:
            return await connection.fetch(sql, *arguments)

    async def fetchrow(self, sql: str, *arguments: object) -> Record | None:
        """The first row, or None."""
        async with self._connection() as connection:
            return await connection.fetchrow(sql, *arguments)

    async def execute(self, sql: str, *arguments: object) -> None:
        """One statement without rows."""
        async with self._connection() as connection:
            await connection.execute(sql, *arguments)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        """Several statements as one durable transaction. No other input or output inside."""
        async with self._connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Session]:
        with unavailable():
            async with self._pool.acquire(timeout=_ACQUIRE_TIMEOUT) as connection:
                yield connection


async def _nothing_to_reset(_: object) -> None:
    """Nothing here changes a connection's settings, so that the usual round trip at each release is not needed.

    A transaction that was left open is rolled back by the pool all the same.
    """


async def _examine(url: str) -> None:
    connection = await connect(url)
    try:
        if await connection.fetchval("SHOW synchronous_commit") == "off":
            raise DatabaseRefusedError(
                "synchronous_commit is off for this role or database, so that a crash could lose what was promised: "
                "set it to on (ALTER ROLE … SET synchronous_commit = on)."
            )
        await require_current(connection)
    finally:
        await connection.close(timeout=_ACQUIRE_TIMEOUT)
