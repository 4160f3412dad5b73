"""How fast uploads end, before, during and after a fault."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field

import asyncpg

from certpipe.core.clock import SystemClock

EVERY = 0.5
WINDOW = 5.0
BASE = 10.0
SHARE = 0.9
_ENDED = "SELECT count(*) FROM certpipe.uploads WHERE due_at IS NULL"
_LEFT = "SELECT count(*) FROM certpipe.uploads WHERE due_at IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Sample:
    """At `at`, by a clock that never goes back, so many had ended, and so many had not."""

    at: float
    ended: int
    left: int


@dataclass
class Progress:
    """Looks into the database twice a second, whenever that answers."""

    url: str
    samples: list[Sample] = field(default_factory=list)
    _task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    def ended(self) -> int:
        return self.samples[-1].ended if self.samples else 0

    async def quiet(self, patience: float) -> int:
        """Wait until everything ended, or nothing did for `patience` seconds; how many are left."""
        last, since = -1, time.monotonic()
        while True:
            await SystemClock().wait(EVERY)
            if not self.samples:
                continue
            sample = self.samples[-1]
            if sample.left == 0 and sample.at > since:
                return 0
            if sample.ended != last:
                last, since = sample.ended, time.monotonic()
            elif time.monotonic() - since > patience:
                return sample.left

    def rate(self, begin: float, end: float) -> float:
        """Ends per second between the two moments, as far as there are samples."""
        inside = [sample for sample in self.samples if begin <= sample.at <= end]
        if len(inside) < 2:
            return 0.0
        return (inside[-1].ended - inside[0].ended) / max(EVERY, inside[-1].at - inside[0].at)

    def before(self, fault: float) -> float:
        """The rate that there was until the fault began."""
        first = next((sample.at for sample in self.samples if sample.ended), fault)
        return self.rate(max(first, fault - BASE), fault)

    def recovery(self, end: float, wanted: float, total: int) -> tuple[float, float | None] | None:
        """Seconds from the fault's end until the rate was back, and the rate from then on; None when it never was.

        Where all `total` uploads had ended before, or where there was no rate to come back to, until they had, and no
        rate. A rate is that of five seconds, so that one heap that was let go is none.
        """
        finish = next((one.at for one in self.samples if one.left == 0 and one.ended >= total), None)
        for sample in self.samples:
            if finish is not None and sample.at >= max(end, finish):
                return sample.at - end, None
            last = sample.at + WINDOW
            if sample.at < end or not wanted or last > (finish or last):
                continue
            if self.rate(sample.at, last) >= SHARE * wanted:
                return sample.at - end, self.rate(sample.at, min(sample.at + BASE, finish or sample.at + BASE))
        return None

    async def _run(self) -> None:
        while True:
            # Whatever the driver makes of a server that is shot down: the next connection is another one.
            with suppress(Exception):
                await self._look()
            await SystemClock().wait(EVERY)

    async def _look(self) -> None:
        connection = await asyncpg.connect(self.url, timeout=5)
        try:
            while True:
                ended, left = [await connection.fetchval(sql, timeout=5) for sql in (_ENDED, _LEFT)]
                self.samples.append(Sample(time.monotonic(), ended, left))
                await SystemClock().wait(EVERY)
        finally:
            connection.terminate()
