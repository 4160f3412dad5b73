"""Processes of the harness: each dies with it, is stopped or killed at will, and started again when it dies."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from certpipe.core.clock import SystemClock
from tests.chaos.mischief import NONE, VARIABLE, Mischief
from tests.installation import ROOT

SECONDS_TO_STOP = 40


@dataclass
class Program:
    """`python words…` with its output in a file. While `kept`, it is started again as often as it dies.

    Attributes:
        deaths: the exit codes that it ended with by itself, or by a kill; negative is a signal.
        wanted: the life after the next death begins with this mischief.
    """

    name: str
    words: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    wanted: Mischief = NONE
    deaths: list[int] = field(default_factory=list)
    kept: bool = True
    process: asyncio.subprocess.Process | None = None
    _keeping: asyncio.Task[None] | None = None
    _died: asyncio.Event = field(default_factory=asyncio.Event)
    _again: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        """Start it, and keep it."""
        self.kept = True
        await self._spawn()
        self._keeping = asyncio.create_task(self._keep())

    async def kill(self, mischief: Mischief | None = None) -> None:
        """Kill -9, and return when it is started again, up to this mischief (or to what it was up to)."""
        self.wanted = self.wanted if mischief is None else mischief
        await self._replaced(signal.SIGKILL)

    async def restart(self, mischief: Mischief = NONE) -> int:
        """Ask it to stop, and start it again, up to this mischief; its exit code."""
        self.wanted = mischief
        return await self._replaced(signal.SIGTERM)

    async def died(self, seconds: float) -> bool:
        """Wait until it has died since it was started last by us; false when it did not."""
        return await SystemClock().wait(seconds, until=self._died)

    async def stop(self) -> int:
        """Ask it to stop, for good; its exit code."""
        self.kept = False
        code = await self._end(signal.SIGTERM)
        if self._keeping is not None:
            await self._keeping
        return code

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    async def _replaced(self, number: signal.Signals) -> int:
        """End this life, and wait for the beginning of the next."""
        self._again.clear()
        code = await self._end(number)
        await self._again.wait()
        self._died.clear()
        return code

    async def _end(self, number: signal.Signals) -> int:
        process = self.process
        if process is None:
            return 0
        if process.returncode is None:
            process.send_signal(number)
        try:
            async with asyncio.timeout(SECONDS_TO_STOP):
                return await process.wait()
        except TimeoutError:
            process.kill()
            return await process.wait()

    async def _keep(self) -> None:
        while True:
            assert self.process is not None
            code = await self.process.wait()
            self.deaths.append(code)
            self._died.set()
            if not self.kept:
                return
            if code > 0:  # refused to start: a supervisor waits a little too
                await SystemClock().wait(0.5)
            await self._spawn()
            self._again.set()

    async def _spawn(self) -> None:
        mischief, self.wanted = self.wanted, self.wanted.lasting
        clean = {key: value for key, value in os.environ.items() if not key.startswith("CERTPIPE_")}
        with self.log.open("ab") as stream:
            self.process = await asyncio.create_subprocess_exec(
                *("setpriv", "--pdeathsig", "KILL", "--", sys.executable, *self.words),
                cwd=ROOT,
                env={**clean, **self.environment, VARIABLE: mischief.dump()},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
            )
