"""A whole certpipe as a process of its own, as `make up` starts it, that tests may stop, kill and start again."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import aiohttp

ROOT = Path(__file__).parents[1]
SECONDS_TO_START = 90


class Installation:
    """`python -m workers.all` on a data folder, on a free port. `log` is all that it printed so far."""

    def __init__(self, folder: Path, *, module: str = "workers.all", **environment: str) -> None:
        self.folder = folder
        self.module = module
        self.environment = environment
        self.lines: list[str] = []
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    @property
    def dev(self) -> Mapping[str, Any]:
        """What it wrote down for whoever wants to use it."""
        document: Mapping[str, Any] = json.loads((self.folder / "dev.json").read_text(encoding="utf-8"))
        return document

    @property
    def organization_id(self) -> UUID:
        return UUID(self.dev["organization_id"])

    @property
    def log(self) -> str:
        return "".join(self.lines)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def start(self) -> Self:
        """Return when it serves."""
        await self.launch()
        assert self._process is not None
        ended = asyncio.ensure_future(self._process.wait())
        ready = asyncio.ensure_future(self._ready.wait())
        await asyncio.wait([ended, ready], timeout=SECONDS_TO_START, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if not self._ready.is_set():
            ended.cancel()
            raise AssertionError(f"it does not start:\n{self.log}")
        return self

    async def launch(self) -> None:
        """Start without waiting for anything."""
        self._ready.clear()
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CERTPIPE_")}
        settings = {"CERTPIPE_DATA_DIR": str(self.folder), "CERTPIPE_HTTP_PORT": "0", **self.environment}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            self.module,
            cwd=ROOT,
            env={**clean, **settings},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._reading = asyncio.ensure_future(self._read(self._process))

    async def ended(self) -> int:
        """Its exit code, once it has ended by itself and everything it printed was read."""
        assert self._process is not None
        assert self._reading is not None
        async with asyncio.timeout(SECONDS_TO_START):
            code = await self._process.wait()
            await self._reading
        return code

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; its exit code."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)
        return await self.ended()

    async def kill(self) -> None:
        """Kill -9."""
        await self.stop(signal.SIGKILL)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            self.lines.append(line.decode(errors="replace"))
            if b"certpipe serves on" in line:
                self._ready.set()

    def client(self) -> aiohttp.ClientSession:
        """An HTTP client with the developer's token."""
        return aiohttp.ClientSession(
            self.dev["url"],
            headers={"Authorization": f"Bearer {self.dev['token']}"},
            timeout=aiohttp.ClientTimeout(total=60),
            trust_env=False,
        )
