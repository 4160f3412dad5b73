"""One hub for everybody who waits for an upload: one query for all of them, no task and no query of their own."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from uuid import UUID

from certpipe.core.clock import Clock
from certpipe.core.errors import Unavailable, place
from certpipe.core.ports.doors import Hints, Progress, Statuses
from schemas.status import State

LOG = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Waiter:
    """One client. What wakes it: the end, a sequence past `after` unless that is None, a state of `until`."""

    upload_id: UUID
    after: int | None
    until: frozenset[State]
    gone: Callable[[], bool]
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    def cares(self, progress: Progress) -> bool:
        passed = self.after is not None and progress.sequence > self.after
        return progress.ended or passed or progress.state in self.until


class WaitingRoom:
    """Wakes who waits when the database says so. A hint makes it look at once; without one it looks every second.

    Attributes:
        statuses: is asked for the sequences of all who wait, in one query.
        clock: waits.
        hints: where there are any; without them, the looks are regular.
        least_pause: seconds between two looks when hints come fast.
        most_pause: seconds between two looks when no hint comes.
    """

    def __init__(
        self,
        statuses: Statuses,
        clock: Clock,
        hints: Hints | None = None,
        *,
        least_pause: float = 0.01,
        most_pause: float = 1.0,
    ) -> None:
        self._statuses, self._clock, self._hints = statuses, clock, hints
        self._least_pause, self._most_pause = least_pause, most_pause
        self._waiters: set[_Waiter] = set()
        self._hinted = asyncio.Event()
        self._closing = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiters)

    async def wait(
        self,
        upload_id: UUID,
        *,
        after: int | None,
        until: frozenset[State] = frozenset(),
        seconds: float,
        gone: Callable[[], bool] = lambda: False,
    ) -> None:
        """Return when the upload has ended, has moved past `after` or into a state of `until`, or `seconds` are over.

        A client that is `gone`, and everybody when the room closes, is let go early. The caller reads what is true.
        """
        waiter = _Waiter(upload_id, after, until, gone)
        self._waiters.add(waiter)
        self._hinted.set()
        try:
            if not self._closing.is_set():
                await self._clock.wait(seconds, until=waiter.woken)
        finally:
            self._waiters.discard(waiter)

    async def run(self) -> None:
        """Look after who waits, until the room closes."""
        async with asyncio.TaskGroup() as tasks:
            if self._hints is not None:
                tasks.create_task(self._listen(self._hints))
            while not self._closing.is_set():
                self._hinted.clear()
                if self._waiters:
                    await self._look()
                    await self._clock.wait(self._least_pause, until=self._closing)
                await self._clock.wait(self._most_pause, until=self._hinted)

    async def _listen(self, hints: Hints) -> None:
        try:
            await hints.listen(self._hinted.set, self._closing)
        except Exception as error:  # noqa: BLE001 - without hints the looks are regular, and nobody waits in vain
            LOG.error("no more hints: %s", place(error))

    def close(self) -> None:
        """Let everybody go, and end `run`."""
        self._closing.set()
        self._hinted.set()
        for waiter in self._waiters:
            waiter.woken.set()

    async def _look(self) -> None:
        for waiter in self._waiters:
            if waiter.gone():
                waiter.woken.set()
        ids = {waiter.upload_id for waiter in self._waiters if not waiter.woken.is_set()}
        if not ids:
            return
        try:
            sequences = await self._statuses.sequences(list(ids))
        except Unavailable:
            LOG.warning("the database is away; %d clients go on waiting", len(self._waiters))
            return
        except Exception as error:  # noqa: BLE001 - a defect must not leave all others waiting in vain
            LOG.error("looking after %d clients: %s", len(self._waiters), place(error))
            return
        for waiter in self._waiters:
            found = sequences.get(waiter.upload_id)
            if found is not None and waiter.cares(found):
                waiter.woken.set()
