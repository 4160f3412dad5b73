"""The notify worker in a process of its own, whose clock a file moves: what takes three days takes seconds."""

import asyncio
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from certpipe.core.clock import SystemClock
from certpipe.observability import configure
from certpipe.process import opened, serve, stop_on_signals
from certpipe.starting import read_settings, run
from workers import notify

_READ_EVERY = 0.02


class MovedClock(SystemClock):
    """The machine's clock, ahead by as many seconds as stand in the file. Waiting takes its real time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._ahead, self._read_at = timedelta(), 0.0

    def now(self) -> datetime:
        if time.monotonic() >= self._read_at:
            self._ahead = timedelta(seconds=float(self._file.read_text(encoding="ascii")))
            self._read_at = time.monotonic() + _READ_EVERY
        return datetime.now(UTC) + self._ahead


async def life(file: Path) -> None:
    """Until a signal."""
    settings = read_settings()
    configure(role="notify", level=settings.log_level)
    assert settings.database_url is not None
    database_url = settings.database_url.get_secret_value()
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    async with (
        opened(settings, role="notify", database_url=database_url, amqp_url=None) as process,
        notify.role(replace(process, clock=MovedClock(file))) as services,
    ):
        await serve(services, stopping)


if __name__ == "__main__":
    run("notify", life(Path(sys.argv[1])))
