"""The system under test as real processes, with everything around it, for one scenario."""

import asyncio
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from certpipe.core.clock import SystemClock
from certpipe.development.postgres import EmbeddedPostgres
from tests.chaos.brokers import Broker
from tests.chaos.launcher import ALL, ROLES
from tests.chaos.load import Load
from tests.chaos.mischief import NONE, Mischief
from tests.chaos.programs import Program
from tests.chaos.progress import Progress
from tests.chaos.proxy import Proxy
from tests.chaos.receiving import Receiver

DOUBLED = ("validate", "forward")
SECONDS_TO_START = 90


@dataclass
class Rig:
    """One scenario's system. Opened by `opened`.

    Attributes:
        roles: every process of certpipe, by role; on the in-process broker all roles are the one process `all`.
        faults: when the fault began and when it ended, by the monotonic clock.
        notes: what a scenario wants to be told with its result.
        hollow: what a scenario was to do, and did not come to.
    """

    broker: Broker
    postgres: EmbeddedPostgres
    folder: Path
    chance: random.Random
    database: str
    organization_id: Any
    environment: Mapping[str, str]
    progress: Progress
    receiver: Receiver
    load: Load
    simulator: Program
    simulator_url: str
    database_proxy: Proxy | None = None
    broker_proxy: Proxy | None = None
    roles: dict[str, list[Program]] = field(default_factory=dict)
    faults: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    hollow: list[str] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)

    @property
    def database_url(self) -> str:
        """Without anything between."""
        return self.postgres.url_for(self.database)

    @property
    def programs(self) -> list[Program]:
        return [program for several in self.roles.values() for program in several]

    def program(self, role: str) -> Program:
        """The (first) process that has this role."""
        return self.all_of(role)[0]

    def all_of(self, role: str) -> Sequence[Program]:
        """The processes that have this role."""
        return self.roles.get(role) or self.roles[ALL]

    @asynccontextmanager
    async def fault(self) -> AsyncIterator[None]:
        """Note when it begins and ends."""
        self.faults.append(time.monotonic())
        try:
            yield
        finally:
            self.faults.append(time.monotonic())

    async def at(self, share: float) -> None:
        """Wait until that share of the uploads is accepted."""
        await self.load.reached(int(share * len(self.load.pairs)))

    async def more(self, count: int, seconds: float) -> None:
        """Wait until so many more are accepted, or so long."""
        try:
            async with asyncio.timeout(seconds):
                await self.load.reached(len(self.load.accepted) + count)
        except TimeoutError:
            return

    async def wait(self, seconds: float) -> None:
        await SystemClock().wait(seconds)

    async def pac(self, *rules: Mapping[str, Any]) -> None:
        """Put these faults into the simulated PAC in the place of all others."""
        async with (
            aiohttp.ClientSession(trust_env=False) as http,
            http.put(f"{self.simulator_url}/_faults", json=list(rules)) as answer,
        ):
            assert answer.ok, await answer.text()

    async def received(self) -> Sequence[Mapping[str, Any]]:
        """What the PAC got, oldest first."""
        async with (
            aiohttp.ClientSession(trust_env=False) as http,
            http.get(f"{self.simulator_url}/_received") as answer,
        ):
            items: Sequence[Mapping[str, Any]] = (await answer.json())["items"]
            return items

    async def query(self, sql: str, *arguments: object) -> Sequence[Any]:
        """What the database says, past any proxy."""
        connection = await asyncpg.connect(self.database_url)
        try:
            rows: Sequence[Any] = await connection.fetch(sql, *arguments)
            return rows
        finally:
            await connection.close()

    async def certpipe(self, *words: str) -> str:
        """The command line, as an operator uses it; what it says. Raises `AssertionError` when it fails."""
        environment = dict(self.environment)
        if self.broker.node is not None:
            environment["CERTPIPE_AMQP_URL"] = self.broker.url
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", "from certpipe.cli import main; main()", *words),
            env={**os.environ, **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()
        return said.decode()

    async def start(self, mischief: Mapping[str, Mischief]) -> None:
        """Start every process, and wait until the doors are open."""
        for name in [ALL] if self.broker.node is None else ROLES:
            wanted = mischief.get(name, NONE)
            many = 2 if name in DOUBLED else 1
            self.roles[name] = [self._program(f"{name}-{number}", name, wanted) for number in range(many)]
        await asyncio.gather(*(program.start() for program in self.programs))
        await self.alive()

    async def alive(self) -> None:
        """Wait until the doors are open."""
        async with asyncio.timeout(SECONDS_TO_START), aiohttp.ClientSession(trust_env=False) as http:
            while True:
                try:
                    async with http.get(f"{self.load.url}/livez") as answer:
                        assert answer.ok
                        return
                except (aiohttp.ClientError, OSError):
                    await SystemClock().wait(0.1)

    async def subscribe(self) -> None:
        """Have every event told to the receiver."""
        url = f"http://127.0.0.1:{self.receiver.port}/hook"
        body = {"organization_id": str(self.organization_id), "url": url, "types": None}
        headers = {"Authorization": f"Bearer {self.load.token}"}
        async with (
            aiohttp.ClientSession(trust_env=False, headers=headers) as http,
            http.post(f"{self.load.url}/v1/webhooks", json=body) as answer,
        ):
            assert answer.status == 201, await answer.text()

    async def stop(self) -> None:
        """Ask every process to stop; `codes` are their answers."""
        self.codes += await asyncio.gather(*(program.stop() for program in self.programs))

    def _program(self, name: str, role: str, mischief: Mischief) -> Program:
        words = ("-m", "tests.chaos.launcher", role)
        return Program(name, words, self.environment, self.folder / f"{name}.log", wanted=mischief)
