"""Seven processes, one per file of `workers/`, as production runs them."""

import asyncio
import base64
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from certpipe.core.clock import SystemClock
from certpipe.development.demo import SUBJECT, Demo
from certpipe.development.files import write_private
from certpipe.development.identity import Identity
from certpipe.simulators.sw import start_simulator
from certpipe.store.database import Database
from certpipe.store.directory import StoreDirectory
from schemas.base import Kind

ROOT = Path(__file__).parents[2]
ROLES = ("ingress", "validate", "encrypt", "persist", "forward", "notify", "sweeper")
SECONDS = 90

pytestmark = pytest.mark.slow


@dataclass
class Running:
    """A process, and what it has printed."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)
    up: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(line.decode(errors="replace"))
            if b"connected to RabbitMQ" in line:
                self.up.set()


@asynccontextmanager
async def worker(role: str, environment: Mapping[str, str]) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"workers.{role}"),
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    running = Running(process)
    reading = asyncio.ensure_future(running.read())
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


async def certpipe(environment: Mapping[str, str], *words: str) -> None:
    """The command line, as an operator uses it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "from certpipe.cli import main; main()", *words),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


async def up(running: Mapping[str, Running]) -> None:
    """Wait until all are."""
    waiting = {asyncio.ensure_future(each.up.wait()) for each in running.values()}
    ended = {asyncio.ensure_future(each.process.wait()) for each in running.values()}
    everything: set[asyncio.Future[Any]] = {asyncio.ensure_future(asyncio.wait(waiting)), *ended}
    await asyncio.wait(everything, timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED)
    for one in everything | waiting:
        one.cancel()
    assert all(each.up.is_set() for each in running.values()), [each.lines for each in running.values()]


async def alive(http: aiohttp.ClientSession) -> None:
    """Wait until it serves: soon after it is up."""
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                async with http.get("/livez") as answer:
                    assert answer.ok
                    return
            except aiohttp.ClientConnectionError:
                await SystemClock().wait(0.1)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


async def upload(http: aiohttp.ClientSession, demo: Demo) -> dict[str, Any]:
    certificate, private_key, password = (file.read_bytes() for file in demo.pair(Kind.CSD))
    body = {
        "certificate": base64.b64encode(certificate).decode(),
        "private_key": base64.b64encode(private_key).decode(),
        "password": password.decode(),
        "party_id": str(demo.parties[Kind.CSD]),
        "kind": "csd",
    }
    async with http.post("/v1/uploads", json=body, headers={"Prefer": "wait=60"}) as answer:
        status: dict[str, Any] = await answer.json()
    return status


async def test_an_upload_goes_through_seven_processes_and_each_stops_cleanly(
    tmp_path: Path, amqp_url: str, database_url: str
) -> None:
    simulator = await start_simulator()
    demo = Demo.open(tmp_path / "demo", at=datetime.now(UTC))
    identity = Identity.open(tmp_path / "identity")
    write_private(tmp_path / "password.txt", "simulated")
    port = free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("CERTPIPE_")}
    environment = {
        **clean,
        "CERTPIPE_AMQP_URL": amqp_url,
        "CERTPIPE_DATABASE_URL": database_url,
        "CERTPIPE_KEYS_DIR": str(tmp_path / "keys"),
        "CERTPIPE_EXTRA_ANCHORS": str(demo.anchors),
        "CERTPIPE_JWKS": str(identity.jwks),
        "CERTPIPE_HTTP_PORT": str(port),
        "CERTPIPE_SW_SERVICES_URL": simulator.url,
        "CERTPIPE_SW_API_URL": simulator.url,
        "CERTPIPE_SW_USER": "simulated",
        "CERTPIPE_SW_PASSWORD_FILE": str(tmp_path / "password.txt"),
    }
    for words in (("migrate",), ("topology", "apply"), ("keys", "init")):
        await certpipe(environment, *words)
    database = await Database.open(database_url)
    await demo.register(StoreDirectory(database))
    await database.close()
    token = identity.token(SUBJECT, operator=False, lifetime=timedelta(minutes=30))
    async with (
        AsyncExitStack() as stack,
        aiohttp.ClientSession(
            f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {token}"}, trust_env=False
        ) as http,
    ):
        running = {role: await stack.enter_async_context(worker(role, environment)) for role in ROLES}
        await up(running)
        await alive(http)
        status = await upload(http, demo)
        said = "".join(line for each in running.values() for line in each.lines)
        assert status["state"] == "forwarded", f"{status}\n{said}"
        for each in running.values():
            each.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(SECONDS):
            codes = {role: await each.process.wait() for role, each in running.items()}
        assert codes == dict.fromkeys(ROLES, 0), said
    await simulator.stop()
