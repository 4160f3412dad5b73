"""How long one upload takes on a system that has nothing else to do: from the request to `forwarded`."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

import aiohttp

from bench.arms import LAYOUTS
from bench.children import Child
from bench.grounds import ORGANIZATION, Grounds, party
from bench.material import bundles
from certpipe.core.bundle import Bundle
from certpipe.core.clock import SystemClock
from certpipe.development.demo import SUBJECT
from certpipe.development.identity import Identity
from certpipe.development.ports import free_ports

EVERY: Final = 0.2
"""Seconds between the beginnings of two requests."""
WARM_UP: Final = 20
SECONDS_TO_START: Final = 90


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds. `client_*`: until the client had the answer; `row_*`: from the row's creation to the end event."""

    broker: str
    requests: int
    client_p50: float
    client_p99: float
    row_p50: float
    row_p99: float


@dataclass(frozen=True, slots=True)
class _Door:
    url: str
    token: str
    parties: Sequence[str]
    bundle: Bundle


async def on_rabbitmq(grounds: Grounds, layout: str, *, requests: int, first_party: int) -> Latency:
    """Certpipe's own ingress and workers, each process as production starts it."""
    async with AsyncExitStack() as stack:
        (port,) = free_ports(1)
        environment = {**grounds.certpipe, "CERTPIPE_HTTP_PORT": str(port)}
        for name, module in (("ingress", "workers.ingress"), *LAYOUTS[layout]):
            log = grounds.folder / f"idle {name}.log"
            child = await Child.start(name, "-m", module, log=log, environment=environment)
            stack.push_async_callback(child.stop)
        token = Identity.open(grounds.folder / "identity").token(SUBJECT, operator=False, lifetime=timedelta(hours=1))
        parties = [str(party(ORGANIZATION, first_party + number)) for number in range(requests + WARM_UP)]
        door = _Door(f"http://127.0.0.1:{port}", token, parties, bundles(grounds.folder)[0])
        return await _measure("RabbitMQ", door, requests)


async def in_process(grounds: Grounds, *, requests: int) -> Latency:
    """Everything in one process, with the in-process broker, as `make up` starts it."""
    folder = grounds.folder / "embedded"
    environment = {
        "CERTPIPE_DATA_DIR": str(folder),
        "CERTPIPE_DATABASE_URL": grounds.postgres.url_for("embedded"),
        "CERTPIPE_SIMULATOR_URL": grounds.simulator_url,
        "CERTPIPE_HTTP_PORT": "0",
    }
    log = grounds.folder / "idle all.log"
    child = await Child.start("all", "-m", "workers.all", log=log, environment=environment)
    try:
        async with asyncio.timeout(SECONDS_TO_START):
            await child.wait_for(b"certpipe serves on")
        dev = json.loads((folder / "dev.json").read_text(encoding="utf-8"))
        door = _Door(dev["url"], dev["token"], [dev["parties"]["csd"]] * (requests + WARM_UP), _demo(folder / "demo"))
        return await _measure("in process", door, requests)
    finally:
        await child.stop()


def _demo(folder: Path) -> Bundle:
    return Bundle(
        certificate=(folder / "csd.cer").read_bytes(),
        private_key=(folder / "csd.key").read_bytes(),
        password=(folder / "password.txt").read_text(encoding="utf-8"),
    )


async def _measure(broker: str, door: _Door, requests: int) -> Latency:
    async with _client(door) as http:
        seen = [await _paced(http, door, party_id) for party_id in door.parties][WARM_UP:]
    client, row = _percentiles([one for one, _ in seen]), _percentiles([other for _, other in seen])
    return Latency(broker, requests, *client, *row)


async def _paced(http: aiohttp.ClientSession, door: _Door, party_id: str) -> tuple[float, float]:
    """One upload, and then the rest of its time slot; seconds by the client and by the row."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    body = {
        "certificate": b64encode(door.bundle.certificate).decode(),
        "private_key": b64encode(door.bundle.private_key).decode(),
        "password": door.bundle.password,
        "party_id": party_id,
        "kind": "csd",
    }
    async with http.post("/v1/uploads", json=body, headers={"Prefer": "wait=30"}) as answer:
        status = await answer.json()
    took = loop.time() - began
    if status.get("state") != "forwarded":
        raise RuntimeError(f"an upload on an idle system ended as {status}")
    await SystemClock().wait(max(0.0, EVERY - took))
    return took, _by_row(status)


def _by_row(status: Mapping[str, Any]) -> float:
    at = next(entry["at"] for entry in status["history"] if entry["type"] == "certificate.forwarded")
    return (datetime.fromisoformat(at) - datetime.fromisoformat(status["created_at"])).total_seconds()


def _percentiles(seconds: Sequence[float]) -> tuple[float, float]:
    cuts = quantiles(seconds, n=100, method="inclusive")
    return cuts[49] * 1_000, cuts[98] * 1_000


@asynccontextmanager
async def _client(door: _Door) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {door.token}"}
    async with aiohttp.ClientSession(door.url, headers=headers, trust_env=False) as http:
        async with asyncio.timeout(SECONDS_TO_START):
            while not await _ready(http):
                await SystemClock().wait(0.1)
        yield http


async def _ready(http: aiohttp.ClientSession) -> bool:
    try:
        async with http.get("/readyz") as answer:
            return answer.status == 200  # noqa: PLR2004 - OK
    except aiohttp.ClientError:
        return False
