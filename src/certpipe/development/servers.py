"""Which PostgreSQL and which RabbitMQ `make up` works with: those that are named, or its own."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from certpipe.development.postgres import EmbeddedPostgres
from certpipe.development.rabbitmq import PrivateRabbit
from certpipe.settings import Settings
from certpipe.starting import RefusedToStart

LOCAL: Final = "local"


@asynccontextmanager
async def servers(settings: Settings, folder: Path) -> AsyncIterator[tuple[str, str | None]]:
    """The addresses of the database and of the broker (None: in process). What was started here ends with the block.

    Raises `RefusedToStart` when one does not start.
    """
    postgres = None if settings.database_url else EmbeddedPostgres(folder / "postgres", owner=os.getpid())
    rabbit = PrivateRabbit(folder / "rabbitmq", owner=os.getpid()) if settings.rabbitmq == LOCAL else None
    if rabbit and settings.amqp_url:
        raise RefusedToStart("RABBITMQ=local and CERTPIPE_AMQP_URL exclude one another: unset one of them")
    own: list[EmbeddedPostgres | PrivateRabbit] = [server for server in (postgres, rabbit) if server]
    try:
        try:
            await _start(own)
        except asyncio.CancelledError:
            for server in own:
                server.kill()  # what has not started yet cannot stop; both bear it
            raise
        database_url = settings.database_url.get_secret_value() if settings.database_url else ""
        amqp_url = settings.amqp_url.get_secret_value() if settings.amqp_url else None
        yield (postgres.url if postgres else database_url, rabbit.url if rabbit else amqp_url)
    finally:
        await asyncio.gather(*(server.stop() for server in own))


async def _start(own: Sequence[EmbeddedPostgres | PrivateRabbit]) -> None:
    """All at once: RabbitMQ takes seconds. Raises `RefusedToStart` with the words of each that does not start."""
    ends = await asyncio.gather(*(server.start() for server in own), return_exceptions=True)
    if faults := [str(end) for end in ends if isinstance(end, RuntimeError)]:
        raise RefusedToStart("\n".join(faults))
    for end in ends:
        if end is not None:
            raise end
