"""The contenders: how each is started, and what it counts as done."""

import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from bench.children import Child
from bench.grounds import Grounds

LAYOUTS: Final[Mapping[str, Sequence[tuple[str, str]]]] = {
    "per-core": (
        ("worker 1", "bench.worker"),
        ("worker 2", "bench.worker"),
        ("sweeper", "workers.sweeper"),
    ),
    "per-stage": (
        ("validate", "workers.validate"),
        ("encrypt", "workers.encrypt"),
        ("persist", "workers.persist"),
        ("forward", "workers.forward"),
        ("sweeper", "workers.sweeper"),
    ),
    "single": (("worker", "bench.worker"), ("sweeper", "workers.sweeper")),
}
"""How certpipe's roles are spread over processes."""


@dataclass(frozen=True, slots=True)
class Running:
    """The processes of a contender: who feeds, and who works."""

    feeder: Child
    workers: Sequence[Child]

    @property
    def pids(self) -> Mapping[str, int]:
        """By name."""
        return {child.name: child.pid for child in (self.feeder, *self.workers)}


@dataclass(frozen=True, slots=True)
class Arm:
    """One contender.

    `under_way` and `window` are SQL: how many uploads have not ended; and of those accepted since $1 the number that
    was forwarded, the first acceptance and the last forwarding.
    """

    name: str
    database: str
    under_way: str
    window: str
    start: Callable[[Grounds, int], AbstractAsyncContextManager[Running]]


@asynccontextmanager
async def _certpipe(layout: str, grounds: Grounds, first_party: int) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:

        async def start(name: str, *words: str) -> Child:
            log = grounds.folder / f"certpipe {name}.log"
            child = await Child.start(name, "-m", *words, log=log, environment=grounds.certpipe)
            stack.push_async_callback(child.stop)
            return child

        workers = [await start(name, module) for name, module in LAYOUTS[layout]]
        yield Running(await start("feeder", "bench.feed", str(grounds.folder), str(first_party)), workers)


@asynccontextmanager
async def _chain(grounds: Grounds, _first_party: int, *, skip_key_check: bool) -> AsyncIterator[Running]:
    async with AsyncExitStack() as stack:

        async def start(name: str, *words: str) -> Child:
            child = await Child.start(
                *(name, "-m", *words),
                log=grounds.folder / f"chain {name}.log",
                environment=grounds.chain(skip_key_check=skip_key_check),
                python=str(grounds.chain_python),
            )
            stack.push_async_callback(child.stop)
            return child

        processes = ("--pool", "prefork", "--concurrency", str(os.cpu_count()))
        quiet = ("--loglevel", "WARNING", "--without-gossip", "--without-mingle")
        worker = await start("celery", "celery", "-A", "bench.chain.app", "worker", *processes, *quiet)
        yield Running(await start("feeder", "bench.chain.feed", str(grounds.folder)), [worker])


def certpipe(layout: str) -> Arm:
    """Certpipe over RabbitMQ."""
    return Arm(
        name="certpipe",
        database="certpipe",
        under_way="SELECT count(*) FROM certpipe.uploads WHERE due_at IS NOT NULL",
        window="""
            SELECT count(*) AS forwarded, min(u.created_at) AS first, max(e.at) AS last
            FROM certpipe.uploads u JOIN certpipe.events e ON e.subject_id = u.id AND e.type = 'certificate.forwarded'
            WHERE u.created_at >= $1 AND u.state = 'forwarded'
        """,
        start=partial(_certpipe, layout),
    )


def chain(*, skip_key_check: bool) -> Arm:
    """The Celery chain."""
    return Arm(
        name="celery, check skipped" if skip_key_check else "celery, full check",
        database="chain",
        under_way="SELECT count(*) FROM uploads WHERE state <> 'forwarded'",
        window="""
            SELECT count(*) AS forwarded, min(created_at) AS first, max(updated_at) AS last
            FROM uploads WHERE created_at >= $1 AND state = 'forwarded'
        """,
        start=partial(_chain, skip_key_check=skip_key_check),
    )
