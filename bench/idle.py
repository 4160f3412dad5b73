"""`python -m bench.idle`: what certpipe costs while nothing happens, with empty tables and with many uploads ended.

The processes that look by themselves run as in production, over RabbitMQ: `sweeper` (due uploads, the reconciler,
tidying) and `notify` (the relay of events, the deliverer, the publisher). CPU seconds are those of whole process trees.
"""

import argparse
import asyncio
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.about import processor
from bench.children import ROOT, Child
from bench.cpu import spent
from bench.finished import fill
from bench.grounds import pid_of
from bench.report import aligned, table
from certpipe.broker.declare import apply
from certpipe.core.clock import SystemClock
from certpipe.crypto.keymaking import init_keys
from certpipe.development.postgres import EmbeddedPostgres
from certpipe.development.rabbitmq import PrivateRabbit
from certpipe.store.migrate import migrate

ROLES: Final = ("sweeper", "notify")
SETTLE: Final = 10.0
"""Seconds after the start that are not measured."""
PROMISED: Final = 2.0
"""Percent of one CPU, for the processes that look, and for PostgreSQL with them."""


@dataclass(frozen=True, slots=True)
class Idle:
    """CPU seconds by process, of `seconds` in which nothing happened."""

    uploads: int
    seconds: float
    spent: Mapping[str, float]

    @property
    def percent(self) -> float:
        """Of one CPU, for everything but the broker, which costs the same without certpipe's looks."""
        return 100 * sum(self.spent[name] for name in (*ROLES, "PostgreSQL")) / self.seconds


async def measure(uploads: int, seconds: float) -> Idle:
    """A fresh system with so many uploads that have ended."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="certpipe-bench-")))
        init_keys(folder / "keys")
        postgres = EmbeddedPostgres(folder / "postgres", owner=os.getpid())
        rabbit = PrivateRabbit(folder / "rabbitmq", owner=os.getpid())
        for server in (postgres, rabbit):
            stack.push_async_callback(server.stop)
            await server.start()
        await asyncio.gather(apply(rabbit.url), migrate(postgres.url))
        await fill(postgres.url, uploads)
        roots = {"PostgreSQL": pid_of(postgres.folder), "RabbitMQ": pid_of(rabbit.folder)}
        environment = {
            "CERTPIPE_DATABASE_URL": postgres.url,
            "CERTPIPE_AMQP_URL": rabbit.url,
            "CERTPIPE_KEYS_DIR": str(folder / "keys"),
        }
        for name in ROLES:
            child = await Child.start(
                name, "-m", f"workers.{name}", log=folder / f"{name}.log", environment=environment
            )
            stack.push_async_callback(child.stop)
            roots[name] = child.pid
        clock = SystemClock()
        await clock.wait(SETTLE)
        before, began = spent(roots), clock.now()
        await clock.wait(seconds)
        after, took = spent(roots), (clock.now() - began).total_seconds()
    return Idle(uploads, took, {name: after[name] - before[name] for name in roots})


def rows(found: Sequence[Idle]) -> list[list[str]]:
    """As a table."""
    names = [*ROLES, "PostgreSQL", "RabbitMQ"]
    head = ["uploads ended", "seconds", *(f"CPU s: {name}" for name in names), "all but RabbitMQ, % of one CPU"]
    body = [
        [
            f"{one.uploads:,}",
            f"{one.seconds:.0f}",
            *(f"{one.spent[name]:.2f}" for name in names),
            f"{one.percent:.2f}",
        ]
        for one in found
    ]
    return [head, *body]


_PAGE: Final = """\
# What idling costs

Written by `python -m bench.idle`; do not edit. One run on one machine.

* when: {when:%Y-%m-%d %H:%M} UTC
* machine: {cores} cores, {processor}, Linux {linux}, Python {python}
* load average before: {load:.1f}

Nothing comes in. The processes that look by themselves run as in production: `sweeper` looks every second for what is
due, which is the reconciler too, and tidies every minute; `notify` looks every second for events without a place, for
deliveries that are due, and for what is to be published. Each upload that has ended has its certificate, six events, a
hand-off and a delivered webhook in the tables.

{table}"""


def main() -> None:
    """Parse, run, write `docs/benchmark-idle.md`; fails above what is promised."""
    parser = argparse.ArgumentParser(prog="python -m bench.idle", description=__doc__)
    parser.add_argument("--uploads", type=int, default=1_000_000, help="uploads that have ended")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to look at the idle system")
    chosen = parser.parse_args()
    load = os.getloadavg()[0]
    found = [asyncio.run(measure(uploads, chosen.seconds)) for uploads in (0, chosen.uploads)]
    sys.stdout.write(f"{aligned(rows(found))}\n")
    page = _PAGE.format(
        when=datetime.now(UTC),
        cores=os.cpu_count(),
        processor=processor(),
        linux=platform.release(),
        python=platform.python_version(),
        load=load,
        table=table(rows(found)),
    )
    (ROOT / "docs" / "benchmark-idle.md").write_text(page, encoding="utf-8")
    if found[-1].percent >= PROMISED:
        sys.exit(f"idling costs more than {PROMISED} % of one CPU")


if __name__ == "__main__":
    main()
