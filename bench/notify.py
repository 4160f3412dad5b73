"""`python -m bench.notify`: how soon an event is delivered, and how many deliveries there are a second."""

import argparse
import asyncio
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import quantiles
from typing import Final

from bench.about import processor
from bench.children import ROOT, Child
from bench.cpu import spent
from bench.grounds import pid_of
from bench.report import aligned, table
from bench.webhooks import SECONDS, Grounds, opened, placed, receiving
from certpipe.core.clock import SystemClock

EVERY: Final = 0.1
"""Seconds between two events of the idle system."""
WARM_UP: Final = 10
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
        await placed(grounds)
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


async def _come(receiver: Child, count: int) -> None:
    clock = SystemClock()
    async with asyncio.timeout(SECONDS):
        while int(await receiver.ask({})) < count:
            await clock.wait(0.02)


async def run(events: int, deliveries: int) -> tuple[Latency, Sequence[Throughput]]:
    """Measure everything."""
    async with opened() as grounds:
        soon = await latency(grounds, events)
        return soon, [
            await throughput(grounds, endpoints, deliveries, workers=workers)
            for endpoints, workers in ((1, 1), (10, 1), (10, 2))
        ]


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
