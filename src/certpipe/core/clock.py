"""Time is a port: what waits, and what compares dates, is given a clock."""

import asyncio
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall-clock time in UTC, and waiting."""

    def now(self) -> datetime:
        """The present instant, aware, in UTC."""

    async def wait(self, seconds: float, *, until: asyncio.Event | None = None) -> bool:
        """Wait for `seconds`, or less when `until` is set; true when it was set."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def wait(self, seconds: float, *, until: asyncio.Event | None = None) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await (until or asyncio.Event()).wait()
        except TimeoutError:
            return False
        return True
