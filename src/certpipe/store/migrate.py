"""Bring a database to this version's schema.

A runner of our own and no tool: forward-only SQL files, one transaction each, are all that is needed, and the usual
tools bring an ORM, a second driver, or a binary into every image. What it must get right is tested: it runs once when
many processes start together, it refuses an edited file, a newer schema, and a database that is somebody else's.
"""

import asyncio
import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, TypeAlias

import asyncpg

from certpipe.store.failures import unavailable
from certpipe.store.named import queries

_SQL = queries("migrate")
_FILE = re.compile(r"(\d{4})_\w+\.sql")
_LOCK = 0x63657274
_PATIENCE = 60.0

Connection: TypeAlias = "asyncpg.Connection[Any]"


class DatabaseRefusedError(Exception):
    """This database is not to be worked with; the text says why and what to do. It holds no secret."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of `migrations/`."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text, to notice a file that was edited after it was applied."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> Sequence[Migration]:
    """All of them, in order."""
    found = [
        Migration(int(match[1]), entry.name, entry.read_text("utf-8"))
        for entry in (files("certpipe.store") / "migrations").iterdir()
        if (match := _FILE.fullmatch(entry.name))
    ]
    return sorted(found, key=lambda migration: migration.version)


async def migrate(url: str, known: Sequence[Migration] | None = None) -> Sequence[str]:
    """Apply what is missing; return the names of the files that were applied. Safe when several start at once.

    Raises `DatabaseRefusedError` or `Unavailable`; then nothing of the file at fault was kept.
    """
    with unavailable():
        connection = await connect(url)
        try:
            async with asyncio.timeout(_PATIENCE):
                # Held by the connection, so that it also covers several transactions; gone with it at the latest.
                await connection.execute(_SQL["lock"], _LOCK)
            return await _migrate(connection, migrations() if known is None else known)
        finally:
            with suppress(TimeoutError):
                await connection.close(timeout=5)


async def connect(url: str, **settings: str) -> Connection:
    """One connection outside any pool. Raises `DatabaseRefusedError` when the address can never work."""
    try:
        return await asyncpg.connect(url, timeout=10, server_settings={"application_name": "certpipe", **settings})
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.ClientConfigurationError) as error:
        raise DatabaseRefusedError(
            "The database refuses this user or address: correct CERTPIPE_DATABASE_URL."
        ) from error
    except asyncpg.InvalidCatalogNameError as error:
        raise DatabaseRefusedError(
            "The database does not exist: create it, or correct CERTPIPE_DATABASE_URL."
        ) from error


async def require_current(connection: Connection, known: Sequence[Migration] | None = None) -> None:
    """Raise `DatabaseRefusedError` unless the database has exactly this version's schema."""
    known = migrations() if known is None else known
    if not await _is_ours(connection) or len(await _applied(connection, known)) < len(known):
        raise DatabaseRefusedError("The database lacks this version's tables: run `certpipe migrate`.")


async def _migrate(connection: Connection, known: Sequence[Migration]) -> Sequence[str]:
    if not await _is_ours(connection):
        if foreign := await connection.fetchval(_SQL["foreign_table"]):
            raise DatabaseRefusedError(
                f"The database already holds the table {foreign}, which is not certpipe's: "
                "create an empty database for certpipe, and set CERTPIPE_DATABASE_URL to it."
            )
        async with connection.transaction():
            await connection.execute(_SQL["create_versions"])
    applied = await _applied(connection, known)
    missing = [migration for migration in known if migration.version not in applied]
    for migration in missing:
        async with connection.transaction():
            await connection.execute(migration.sql)
            await connection.execute(_SQL["record"], migration.version, migration.name, migration.checksum)
    return [migration.name for migration in missing]


async def _is_ours(connection: Connection) -> bool:
    return bool(await connection.fetchval(_SQL["is_ours"]))


async def _applied(connection: Connection, known: Sequence[Migration]) -> Mapping[int, str]:
    """Version → checksum of what was applied; refuses what does not fit to this program's files."""
    applied = {int(row["version"]): str(row["checksum"]) for row in await connection.fetch(_SQL["applied"])}
    ours = {migration.version: migration for migration in known}
    for version, checksum in applied.items():
        if version not in ours:
            raise DatabaseRefusedError(
                f"The database has schema version {version}, newer than this program knows: "
                "install the newer certpipe, or restore a backup of before its migration."
            )
        if ours[version].checksum != checksum:
            raise DatabaseRefusedError(
                f"{ours[version].name} is not what was applied to this database: "
                "restore that file, and put the change into a new migration."
            )
    return applied
