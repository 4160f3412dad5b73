"""Uploads that have ended long ago, as many as one likes, written straight into the tables."""

from pathlib import Path
from typing import Final

from bench.grounds import ORGANIZATION
from certpipe.store.migrate import connect
from certpipe.store.named import parse

_SQL: Final = parse((Path(__file__).parent / "finished.sql").read_text(encoding="utf-8"))
_OF_ONE_PARTY: Final = 100
EVENTS_EACH: Final = 6


async def fill(url: str, uploads: int) -> None:
    """Write so many forwarded uploads, with their certificates, events and deliveries; then let the planner see them.

    The database is migrated and empty.
    """
    parties, last = max(uploads // _OF_ONE_PARTY, 1), EVENTS_EACH * uploads
    connection = await connect(url)
    try:
        await connection.execute(_SQL["organization"], ORGANIZATION)
        await connection.execute(_SQL["endpoint"], ORGANIZATION)
        await connection.execute(_SQL["parties"], ORGANIZATION, parties)
        for name in ("uploads", "certificates"):
            await connection.execute(_SQL[name], ORGANIZATION, uploads, parties)
        await connection.execute(_SQL["events"], ORGANIZATION, uploads)
        for name in ("handoffs", "deliveries"):
            await connection.execute(_SQL[name], uploads)
        await connection.execute(_SQL["positions"], last)
        await connection.execute(_SQL["cursor"], last)
        await connection.execute("VACUUM ANALYZE")
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()
