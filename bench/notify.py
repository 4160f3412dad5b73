"""`python -m bench.notify`: how soon an event is delivered, and how many deliveries there are a second."""

import argparse
import asyncio
import os
import platform
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Final
from uuid import UUID

from bench.about import processor
from bench.children import ROOT, Child
from bench.cpu import spent
from bench.grounds import pid_of
from bench.report import aligned, table
from certpipe.broker.declare import apply
from certpipe.core.clock import SystemClock
from certpipe.core.ids import uuid7
from certpipe.core.ports.directory import Organization, Party, PartyKind
from certpipe.core.ports.doors import NewUpload
from certpipe.core.ports.runtime import Advanced
from certpipe.core.ports.webhooks import NewEndpoint
from certpipe.core.uploads import Box, Validated
from certpipe.crypto.endpoint_sealing import HpkeEndpointSealer
from certpipe.crypto.keymaking import init_keys
from certpipe.development.postgres import EmbeddedPostgres
from certpipe.development.rabbitmq import PrivateRabbit
from certpipe.store.cursors import StoreCursors
from certpipe.store.database import Database
from certpipe.store.directory import StoreDirectory
from certpipe.store.endpoints import StoreEndpoints
from certpipe.store.feed import StoreFeed
from certpipe.store.hinting import Hinter
from certpipe.store.intake import StoreIntake
from certpipe.store.ledgers.validate import ValidateLedger
from certpipe.store.migrate import migrate
from certpipe.store.relay import StoreRelay
from schemas.base import Kind
from schemas.messages import UploadRef
from schemas.status import CertificateFacts
from schemas.upload import SealFormat

EVERY: Final = 0.1
"""Seconds between two events of the idle system."""
WARM_UP: Final = 10
SECONDS: Final = 120
_BOX: Final = Box(SealFormat.HPKE, "intake-1", bytes(2_000))
_FACTS: Final = CertificateFacts(
    number="30001000000500003416",
    rfc="EKU9003173C9",
    legal_name="ESCUELA KEMPER URGATE",
    kind=Kind.CSD,
    valid_from=datetime(2025, 1, 1, tzinfo=UTC),
    valid_to=datetime(2029, 1, 1, tzinfo=UTC),
)
_BATCH: Final = 64


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds from the commit of a transition to the receiver."""

    events: int
    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Throughput:
    """Deliveries a second from the first to the last, and the CPU milliseconds of one by process."""

    endpoints: int
    workers: int
    deliveries: int
    rate: float
    cpu_ms: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Grounds:
    """Servers of the run's own, and the store over them."""

    folder: Path
    postgres: EmbeddedPostgres
    rabbit: PrivateRabbit
    database: Database
    hinter: Hinter

    async def organization(self, ports: Sequence[int]) -> tuple[UUID, UUID]:
        """A new one with an endpoint at each of these ports, and a party of it."""
        made = Organization(uuid7(), "EKU9003173C9", "Escuela Kemper Urgate")
        party = Party(uuid7(), made.id, PartyKind.ENTRY, made.rfc, made.name)
        directory = StoreDirectory(self.database)
        await directory.put_organization(made, owner="bench")
        await directory.put_party(party)
        endpoints, sealer = StoreEndpoints(self.database, self.hinter), HpkeEndpointSealer.from_folder(self.folder)
        for port in ports:
            new = uuid7()
            url, sealed = f"http://127.0.0.1:{port}/", sealer.seal_headers(new, {})
            keys = sealer.new_keys(new)
            await endpoints.create(NewEndpoint(new, made.id, url, None, "", keys, (), sealed), now=SystemClock().now())
        return made.id, party.id

    async def accepted(self, organization: UUID, party: UUID, count: int) -> list[UploadRef]:
        """New uploads: an event each."""
        intake = StoreIntake(self.database)
        upload = {"organization_id": organization, "party_id": party, "kind": Kind.CSD, "rfc": None, "box": _BOX}
        news = [NewUpload(id=uuid7(), door="bench", submitted_by="bench", **upload) for _ in range(count)]  # type: ignore[arg-type] # a dictionary of several types
        return [each.ref for each in await asyncio.gather(*(intake.accept(new) for new in news))]

    async def validated(self, organization: UUID, refs: Sequence[UploadRef]) -> None:
        """The next step of these: another event each."""
        ledger = ValidateLedger(self.database, self.hinter)
        await ledger.settle([Advanced(ref, Validated(ref, organization, _BOX, _FACTS, ())) for ref in refs])

    @asynccontextmanager
    async def worker(self, number: int = 1) -> AsyncIterator[Mapping[str, Child]]:
        """So many notify workers, as production starts them."""
        environment = {
            "CERTPIPE_DATABASE_URL": self.postgres.url,
            "CERTPIPE_AMQP_URL": self.rabbit.url,
            "CERTPIPE_KEYS_DIR": str(self.folder),
            "CERTPIPE_WEBHOOK_NETWORKS": "127.0.0.0/8",
        }
        async with AsyncExitStack() as stack:
            running = {}
            for name in (f"notify {each + 1}" for each in range(number)):
                log = self.folder.parent / f"{name}.log"
                running[name] = await Child.start(name, "-m", "workers.notify", log=log, environment=environment)
                stack.push_async_callback(running[name].stop)
            yield running


@asynccontextmanager
async def opened() -> AsyncIterator[Grounds]:
    """Start everything, and stop it at the end."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="certpipe-bench-")))
        init_keys(folder / "keys")
        postgres = EmbeddedPostgres(folder / "postgres", owner=os.getpid())
        rabbit = PrivateRabbit(folder / "rabbitmq", owner=os.getpid())
        for server in (postgres, rabbit):
            stack.push_async_callback(server.stop)
            await server.start()
        await asyncio.gather(apply(rabbit.url), migrate(postgres.url))
        database = await Database.open(postgres.url)
        stack.push_async_callback(database.close)
        hinter = Hinter(database, SystemClock())
        stack.push_async_callback(hinter.close)
        yield Grounds(folder / "keys", postgres, rabbit, database, hinter)


@asynccontextmanager
async def receiving(grounds: Grounds, endpoints: int) -> AsyncIterator[tuple[Child, Sequence[int]]]:
    """A receiver with so many ports."""
    log = grounds.folder.parent / "receiver.log"
    child = await Child.start("receiver", "-m", "bench.receiver", str(endpoints), log=log, environment={})
    try:
        yield child, await child.answer()
    finally:
        await child.stop()


async def latency(grounds: Grounds, events: int) -> Latency:
    """One event after another, on a system that has nothing else to do."""
    async with receiving(grounds, 1) as (receiver, ports), grounds.worker():
        organization, party = await grounds.organization(ports)
        refs = await grounds.accepted(organization, party, events + WARM_UP)
        await _come(receiver, len(refs))
        committed = {}
        for ref in refs:
            await grounds.validated(organization, [ref])
            committed[f"evt_{ref.id.hex}_1"] = time.time()
            await SystemClock().wait(EVERY)
        await _come(receiver, 2 * len(refs))
        at = (await receiver.ask({"take": True, "ids": True}))["at"]
    cuts = quantiles([at[one] - when for one, when in list(committed.items())[WARM_UP:]], n=100, method="inclusive")
    return Latency(events, cuts[49] * 1_000, cuts[98] * 1_000)


async def throughput(grounds: Grounds, endpoints: int, deliveries: int, *, workers: int) -> Throughput:
    """A backlog that lies in the database when the workers start. Raises `RuntimeError` when an event is missing."""
    async with receiving(grounds, endpoints) as (receiver, ports):
        organization, party = await grounds.organization(ports)
        uploads = deliveries // endpoints // 2
        for start in range(0, uploads, 10 * _BATCH):
            refs = await grounds.accepted(organization, party, min(10 * _BATCH, uploads - start))
            for first in range(0, len(refs), _BATCH):
                await grounds.validated(organization, refs[first : first + _BATCH])
        await _placed(grounds)
        expected = 2 * uploads * endpoints
        async with grounds.worker(workers) as running:
            await _come(receiver, 1)
            pids = {"receiver": receiver.pid, "PostgreSQL": pid_of(grounds.postgres.folder)}
            pids |= {name: child.pid for name, child in running.items()}
            before, early = spent(pids), int(await receiver.ask({}))
            await _come(receiver, expected)
            after = spent(pids)
        seen = await receiver.ask({"take": True})
    if seen["distinct"] != 2 * uploads:
        raise RuntimeError(f"of {2 * uploads} events {seen['distinct']} came")
    cpu = {name: (after[name] - before[name]) / (expected - early) * 1_000 for name in pids}
    return Throughput(endpoints, workers, expected, (seen["count"] - 1) / (seen["last"] - seen["first"]), cpu)


async def _placed(grounds: Grounds) -> None:
    """Every event has its place, and was published by AMQP as far as anybody knows."""
    relay, clock = StoreRelay(grounds.database, grounds.hinter), SystemClock()
    while (await relay.place(1_000, clock.now())).events:
        pass
    cursors, owner, now = StoreCursors(grounds.database), uuid7(), clock.now()
    async with asyncio.timeout(SECONDS):
        while await cursors.take("amqp", owner, now, now) is None:
            await clock.wait(0.5)
            now = clock.now()
    await cursors.advance("amqp", owner, await StoreFeed(grounds.database).last())


async def _come(receiver: Child, count: int) -> None:
    clock = SystemClock()
    async with asyncio.timeout(SECONDS):
        while int(await receiver.ask({})) < count:
            await clock.wait(0.02)


async def run(events: int, deliveries: int) -> tuple[Latency, Sequence[Throughput]]:
    """Measure everything."""
    async with opened() as grounds:
        rows = [
            await throughput(grounds, endpoints, deliveries, workers=workers)
            for endpoints, workers in ((1, 1), (10, 1), (10, 2))
        ]
        return await latency(grounds, events), rows


def tables(soon: Latency, much: Sequence[Throughput]) -> Sequence[Sequence[Sequence[str]]]:
    """Under headings."""
    idle = [
        ("idle, commit of a transition to its receiver", "p50 ms", "p99 ms"),
        (f"{soon.events} events", f"{soon.p50:.1f}", f"{soon.p99:.1f}"),
    ]
    head = (
        "backlog",
        "endpoints",
        "notify processes",
        "deliveries/s",
        "CPU ms/delivery: notify",
        "PostgreSQL",
        "receiver",
    )
    rows: list[Sequence[str]] = [head]
    for one in much:
        ours = sum(ms for name, ms in one.cpu_ms.items() if name.startswith("notify"))
        cpu = (f"{ms:.3f}" for ms in (ours, one.cpu_ms["PostgreSQL"], one.cpu_ms["receiver"]))
        rows.append((str(one.deliveries), str(one.endpoints), str(one.workers), f"{one.rate:.0f}", *cpu))
    return idle, rows


_PAGE: Final = """\
# Benchmark of webhooks

Written by `python -m bench.notify`; do not edit. One run on one machine, over loopback alone.

* when: {when:%Y-%m-%d %H:%M} UTC
* machine: {cores} cores, {processor}, Linux {linux}, Python {python}
* load average before: {load:.1f}

**Latency**: a transition is committed every 100 ms on a system that does nothing else; the time is from then until its
request has come to the receiver: the hint, giving the event its place, the claim, signing and sending are between.
**Throughput**: a backlog lies in the database when the workers start; receivers are raw protocols on the same machine
that answer 204 at once. Every delivery is claimed, signed twice (HMAC and Ed25519), sent and settled, durably. A run
fails unless every event has come.

{tables}"""


def main() -> None:
    """Parse, run, write `docs/benchmark-webhooks.md`."""
    parser = argparse.ArgumentParser(prog="python -m bench.notify", description=__doc__)
    parser.add_argument("--events", type=int, default=200, help="events on the idle system")
    parser.add_argument("--deliveries", type=int, default=20_000, help="deliveries of each backlog")
    chosen = parser.parse_args()
    load = os.getloadavg()[0]
    soon, much = asyncio.run(run(chosen.events, chosen.deliveries))
    for rows in tables(soon, much):
        sys.stdout.write(f"\n{aligned(rows)}\n")
    page = _PAGE.format(
        when=datetime.now(UTC),
        cores=os.cpu_count(),
        processor=processor(),
        linux=platform.release(),
        python=platform.python_version(),
        load=load,
        tables="\n".join(table(rows) for rows in tables(soon, much)),
    )
    (ROOT / "docs" / "benchmark-webhooks.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
