"""The doors side by side: a vendor's dialect that waits beside the native door, and multipart beside JSON."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from statistics import median, quantiles
from typing import Final
from uuid import uuid4

import aiohttp

from bench.arms import LAYOUTS
from bench.children import Child
from bench.cpu import spent
from bench.grounds import ORGANIZATION, Grounds, party
from bench.material import bundles
from certpipe.core.bundle import Bundle
from certpipe.core.clock import SystemClock
from certpipe.development.demo import SUBJECT
from certpipe.development.identity import Identity
from certpipe.development.ports import free_ports

CLIENTS: Final = 32
ROUNDS: Final = 3
WARM_UP: Final = 64
OFTENER: Final = 5
"""So many times the requests for the cost: the kernel counts CPU in hundredths of a second."""
SECONDS_TO_START: Final = 90
Way = Callable[[aiohttp.ClientSession, Bundle, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Requests a second of clients that wait for the end of each, and how long each waited in milliseconds."""

    door: str
    requests: int
    rate: float
    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU of the ingress process in microseconds per accepted upload; `ratio` is the median of the rounds' own."""

    requests: int
    json_us: float
    multipart_us: float
    ratio: float


@dataclass(frozen=True, slots=True)
class Doors:
    """What was found."""

    waiting: Sequence[Waiting]
    cost: Cost

    def speeds(self) -> Sequence[Sequence[str]]:
        """A row per door under a heading."""
        head = (f"{CLIENTS} clients that wait", "requests/s", "p50 ms", "p99 ms")
        return [head, *((one.door, f"{one.rate:.1f}", f"{one.p50:.0f}", f"{one.p99:.0f}") for one in self.waiting)]

    def costs(self) -> Sequence[Sequence[str]]:
        """A row per kind of body under a heading."""
        return [
            ("POST /v1/uploads, the ingress alone", "CPU us/upload", "times JSON"),
            ("JSON", f"{self.cost.json_us:.0f}", "1.00"),
            ("multipart", f"{self.cost.multipart_us:.0f}", f"{self.cost.ratio:.2f}"),
        ]


async def measure(grounds: Grounds, layout: str, *, requests: int, first_party: int) -> Doors:
    """`requests` for each door and round, and `OFTENER` times as many for the cost.

    Takes `parties(requests)` parties, from the first one on.
    """
    numbers = iter(range(first_party, first_party + parties(requests)))
    async with _ingress(grounds, LAYOUTS[layout]) as (http, _):
        waiting = await _waiting(http, grounds, requests, numbers)
    async with _ingress(grounds, ()) as (http, pid):
        cost = await _cost(http, pid, grounds, OFTENER * requests, numbers)
    return Doors(waiting, cost)


def parties(requests: int) -> int:
    """How many parties `measure` needs: every upload has one of its own."""
    return (len(WAITING) + OFTENER * len(COSTING)) * ROUNDS * requests + (len(WAITING) + len(COSTING)) * WARM_UP


async def _waiting(
    http: aiohttp.ClientSession, grounds: Grounds, requests: int, numbers: Iterator[int]
) -> Sequence[Waiting]:
    """The doors take turns; a door's number is the median of its rounds."""
    found: dict[str, list[Waiting]] = {name: [] for name in WAITING}
    for way in WAITING.values():
        await _rush(http, way, grounds, WARM_UP, numbers)
    for _ in range(ROUNDS):
        for name, way in WAITING.items():
            seconds, each = await _rush(http, way, grounds, requests, numbers)
            cuts = quantiles(each, n=100, method="inclusive")
            found[name].append(Waiting(name, requests, requests / seconds, cuts[49] * 1_000, cuts[98] * 1_000))
    return [
        Waiting(name, requests, *(median(getattr(one, what) for one in rounds) for what in ("rate", "p50", "p99")))
        for name, rounds in found.items()
    ]


async def _cost(http: aiohttp.ClientSession, pid: int, grounds: Grounds, requests: int, numbers: Iterator[int]) -> Cost:
    """Without workers: what reading, sealing and committing cost the ingress, by both kinds of body in turn."""
    for way in COSTING.values():
        await _rush(http, way, grounds, WARM_UP, numbers)
    rounds = []
    for _ in range(ROUNDS):
        micro = {}
        for name, way in COSTING.items():
            before = spent({"ingress": pid})["ingress"]
            await _rush(http, way, grounds, requests, numbers)
            micro[name] = (spent({"ingress": pid})["ingress"] - before) / requests * 1e6
        rounds.append(micro)
    json_us, multipart_us = (median(one[name] for one in rounds) for name in ("json", "multipart"))
    return Cost(requests, json_us, multipart_us, median(one["multipart"] / one["json"] for one in rounds))


async def _rush(
    http: aiohttp.ClientSession, way: Way, grounds: Grounds, requests: int, numbers: Iterator[int]
) -> tuple[float, Sequence[float]]:
    """So many requests by 32 clients, each after its last: seconds of all, and of each."""
    loop, pairs = asyncio.get_running_loop(), bundles(grounds.folder)
    jobs = iter([(pairs[number % len(pairs)], str(party(ORGANIZATION, next(numbers)))) for number in range(requests)])
    took: list[float] = []

    async def work() -> None:
        for bundle, party_id in jobs:
            began = loop.time()
            await way(http, bundle, party_id)
            took.append(loop.time() - began)

    started = loop.time()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(CLIENTS):
            tasks.create_task(work())
    return loop.time() - started, took


@asynccontextmanager
async def _ingress(
    grounds: Grounds, workers: Sequence[tuple[str, str]]
) -> AsyncIterator[tuple[aiohttp.ClientSession, int]]:
    async with AsyncExitStack() as stack:
        (port,) = free_ports(1)
        environment = {**grounds.certpipe, "CERTPIPE_HTTP_PORT": str(port)}
        children = []
        for name, module in (("ingress", "workers.ingress"), *workers):
            log = grounds.folder / f"doors {name}.log"
            children.append(await Child.start(name, "-m", module, log=log, environment=environment))
            stack.push_async_callback(children[-1].stop)
        token = Identity.open(grounds.folder / "identity").token(SUBJECT, operator=False, lifetime=timedelta(hours=1))
        connector = aiohttp.TCPConnector(limit=CLIENTS)
        session = aiohttp.ClientSession(
            f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {token}"},
            connector=connector,
            trust_env=False,
        )
        http = await stack.enter_async_context(session)
        async with asyncio.timeout(SECONDS_TO_START):
            while not await _ready(http):
                await SystemClock().wait(0.1)
        yield http, children[0].pid


async def _ready(http: aiohttp.ClientSession) -> bool:
    try:
        async with http.get("/readyz") as answer:
            return answer.status == HTTPStatus.OK
    except aiohttp.ClientError:
        return False


async def _lummy(http: aiohttp.ClientSession, bundle: Bundle, party_id: str) -> None:
    form = aiohttp.FormData()
    form.add_field("cerFile", bundle.certificate, filename="csd.cer")
    form.add_field("keyFile", bundle.private_key, filename="csd.key")
    form.add_field("password", bundle.password)
    headers = {"x-organization-id": str(ORGANIZATION), "x-idempotency": str(uuid4())}
    async with http.put(f"/v1/branches/{party_id}/csd", data=form, headers=headers) as answer:
        await _expect(answer, HTTPStatus.OK)


async def _multipart(
    http: aiohttp.ClientSession,
    bundle: Bundle,
    party_id: str,
    *,
    status: int = HTTPStatus.ACCEPTED,
    headers: Mapping[str, str] = {},
) -> None:
    form = aiohttp.FormData({"password": bundle.password, "party_id": party_id, "kind": "csd"})
    form.add_field("certificate", bundle.certificate, filename="csd.cer")
    form.add_field("private_key", bundle.private_key, filename="csd.key")
    async with http.post("/v1/uploads", data=form, headers=headers) as answer:
        await _expect(answer, status)


async def _native(http: aiohttp.ClientSession, bundle: Bundle, party_id: str) -> None:
    await _multipart(http, bundle, party_id, status=HTTPStatus.OK, headers={"Prefer": "wait=30"})


async def _json(http: aiohttp.ClientSession, bundle: Bundle, party_id: str) -> None:
    body = {
        "certificate": b64encode(bundle.certificate).decode(),
        "private_key": b64encode(bundle.private_key).decode(),
        "password": bundle.password,
        "party_id": party_id,
        "kind": "csd",
    }
    async with http.post("/v1/uploads", json=body) as answer:
        await _expect(answer, HTTPStatus.ACCEPTED)


async def _expect(answer: aiohttp.ClientResponse, status: int) -> None:
    text = await answer.text()
    if answer.status != status:
        raise RuntimeError(f"{answer.method} {answer.url.path} was answered {answer.status}: {text[:300]}")


WAITING: Final[Mapping[str, Way]] = {"native, until forwarded": _native, "Lummy, until stored": _lummy}
COSTING: Final[Mapping[str, Way]] = {"json": _json, "multipart": _multipart}
