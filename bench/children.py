"""Processes of the benchmark: each dies with the benchmark, and is stopped, with all that it started, at its end."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[1]
SECONDS_TO_STOP = 30


@dataclass(frozen=True, slots=True)
class Child:
    """One process. What it writes to standard output are answers, one line each; the rest goes to its log."""

    name: str
    process: asyncio.subprocess.Process

    @classmethod
    async def start(
        cls, name: str, *words: str, log: Path, environment: Mapping[str, str], python: str = sys.executable
    ) -> Self:
        """Start `python words…` in a session of its own, in the folder of the project."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("CERTPIPE_")}
        with log.open("ab") as stream:
            process = await asyncio.create_subprocess_exec(
                *("setpriv", "--pdeathsig", "KILL", "--", python, *words),
                cwd=ROOT,
                env={**clean, **environment},
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stream,
                start_new_session=True,
            )
        return cls(name, process)

    @property
    def pid(self) -> int:
        """Of the process itself; `bench.cpu` finds its children."""
        return self.process.pid

    async def answer(self) -> Any:
        """The next line that it writes, which is JSON. Raises `RuntimeError` when it ended instead."""
        assert self.process.stdout is not None  # noqa: S101 - it was opened as a pipe
        line = await self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended: exit code {await self.process.wait()}")
        return json.loads(line)

    async def wait_for(self, words: bytes) -> None:
        """Read lines until one has these words in it."""
        assert self.process.stdout is not None  # noqa: S101 - likewise
        async for line in self.process.stdout:
            if words in line:
                return
        raise RuntimeError(f"{self.name} ended: exit code {await self.process.wait()}")

    async def ask(self, question: object) -> Any:
        """Write one line, and wait for the answer."""
        assert self.process.stdin is not None  # noqa: S101 - likewise
        self.process.stdin.write(json.dumps(question).encode() + b"\n")
        await self.process.stdin.drain()
        return await self.answer()

    async def stop(self) -> None:
        """SIGTERM, and by force after half a minute. Idempotent."""
        with suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(SECONDS_TO_STOP):
                await self.process.wait()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
            await self.process.wait()
