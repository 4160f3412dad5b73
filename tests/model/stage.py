"""Time and order, in the hands of whoever drives the model: every call of a port stands still until it is let go on."""

import asyncio
from collections.abc import Coroutine, Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from typing import Final

from certpipe.core.errors import Unavailable
from certpipe.core.problems import Problem

AWAY: Final = Problem("away", "fuera", "away", status=503)
_TURNS: Final = 30
_BEGIN: Final = datetime(2026, 6, 1, tzinfo=UTC)


class Fate(Enum):
    """What becomes of a call. `ANSWER_LOST`: it happens, and the caller is told that it did not."""

    DONE = auto()
    NOTHING = auto()
    ANSWER_LOST = auto()


@dataclass(eq=False)
class Process:
    """An operating-system process: what its tasks know is gone when it dies."""

    name: str
    alive: bool = True
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)


@dataclass(eq=False)
class Call:
    """One call of a port that has not happened yet. `brittle`: it may fail; else only its process may die."""

    owner: Process
    name: str
    brittle: bool
    fate: "asyncio.Future[Fate]"


class _Turn:
    """One turn of the loop."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class Theatre:
    """The loop, the calls that wait, and the clock of everybody."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.seconds = 0.0
        self.calls: list[Call] = []
        self._timers: list[tuple[float, asyncio.Event]] = []

    async def call(self, owner: Process, name: str, *, brittle: bool = True) -> Fate:
        """Stand still until it is decided what becomes of this. Raises `Unavailable` when nothing does."""
        if not owner.alive:
            raise asyncio.CancelledError
        call = Call(owner, name, brittle, asyncio.get_running_loop().create_future())
        self.calls.append(call)
        fate = await call.fate
        if fate is Fate.NOTHING:
            raise Unavailable(AWAY)
        return fate

    def decide(self, call: Call, fate: Fate) -> None:
        """Let one call go on, and everybody up to their next calls."""
        self.calls.remove(call)
        call.fate.set_result(fate if call.brittle else Fate.DONE)
        self.run()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.seconds += seconds
        for at, rings in self._timers:
            if at <= self.seconds:
                rings.set()
        self.run()

    def kill(self, process: Process) -> None:
        """End a process between two of its calls, or before one that it waits for."""
        process.alive = False
        dead = [call for call in self.calls if call.owner is process]
        self.calls = [call for call in self.calls if call.owner is not process]
        for call in dead:
            call.fate.cancel()
        for task in process.tasks:
            task.cancel()
        self.run()

    def start(self, process: Process, *work: Coroutine[None, None, None]) -> None:
        """Let it run, up to its first calls."""

        async def begin() -> None:
            process.tasks += [asyncio.ensure_future(each) for each in work]

        self.loop.run_until_complete(begin())
        self.run()

    def join(self, process: Process, work: Coroutine[None, None, None]) -> None:
        """Let it run beside what the process does already; for whoever is in the loop."""
        process.tasks.append(asyncio.ensure_future(work))

    @staticmethod
    def event() -> asyncio.Event:
        """One that nobody has set."""
        return asyncio.Event()

    def run(self) -> None:
        """Turn the loop until everybody waits for a call or for time to pass."""

        async def turns() -> None:
            for _ in range(_TURNS):
                await _Turn()

        self.loop.run_until_complete(turns())

    def now(self) -> datetime:
        """The port `Clock`."""
        return _BEGIN + timedelta(seconds=self.seconds)

    async def wait(self, seconds: float, *, until: asyncio.Event | None = None) -> bool:
        """The port `Clock`."""
        timer = (self.seconds + seconds, asyncio.Event())
        self._timers.append(timer)
        watched = [asyncio.ensure_future(event.wait()) for event in (timer[1], until) if event is not None]
        try:
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._timers.remove(timer)
            for each in watched:
                each.cancel()
        return until is not None and until.is_set()
