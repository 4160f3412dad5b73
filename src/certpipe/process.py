"""One operating-system process: what it opens, in which order it stops. `workers/` say what runs in it."""

import asyncio
import ctypes
import logging
import resource
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from certpipe.broker import open_broker
from certpipe.broker.topology import WORK
from certpipe.core.clock import Clock, SystemClock
from certpipe.core.errors import place
from certpipe.core.ports.broker import Broker
from certpipe.core.ports.runtime import Dispatcher
from certpipe.observability import configure
from certpipe.runtime.dispatch import CoalescingDispatcher
from certpipe.settings import Settings
from certpipe.store.backlog import PostgresBacklog
from certpipe.store.database import Database

log: Final = logging.getLogger(__name__)
PR_SET_DUMPABLE: Final = 4


class RefusedToStart(Exception):  # noqa: N818 - it is what the operator reads
    """Something is not as it must be. The text says what, and what to do."""


class Service(Protocol):
    """Something that runs until it is told to stop, and then finishes what it began."""

    async def run(self, stopping: asyncio.Event) -> None: ...


@dataclass(frozen=True, slots=True)
class Process:
    """What every role may hold. Keys, connectors and doors are opened by the roles that may hold them."""

    settings: Settings
    clock: Clock
    database: Database
    backlog: PostgresBacklog
    broker: Broker
    dispatcher: Dispatcher


Roles = Callable[[Process], Awaitable[Sequence[Service]]]


def harden() -> None:
    """No core dumps, and no other process of this user reads our memory: the process may hold keys."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


@asynccontextmanager
async def opened(settings: Settings, *, role: str, database_url: str, amqp_url: str | None) -> AsyncIterator[Process]:
    """The database, the broker and the dispatcher; closed in the order that loses nothing."""
    clock = SystemClock()
    database = await Database.open(database_url)
    broker = open_broker(amqp_url, role=role, clock=clock)
    backlog = PostgresBacklog(database)
    dispatcher = CoalescingDispatcher(publisher=broker.publisher, backlog=backlog, exchange=WORK)
    drained = asyncio.Event()
    publishing = asyncio.create_task(dispatcher.run(drained))
    try:
        yield Process(settings, clock, database, backlog, broker, dispatcher)
    finally:
        drained.set()
        await publishing
        await backlog.close()
        await broker.close()
        await database.close()


async def serve(services: Sequence[Service], stopping: asyncio.Event) -> None:
    """Run all until `stopping`; when one breaks, stop the others and raise."""

    async def run(service: Service) -> None:
        try:
            await service.run(stopping)
        except BaseException as error:
            log.error("a service broke; stopping", extra={"defect": place(error)})
            stopping.set()
            raise

    async with asyncio.TaskGroup() as group:
        for service in services:
            group.create_task(run(service))


def stop_on_signals(stopping: asyncio.Event) -> None:
    """SIGTERM and Ctrl-C: finish, settle, ack, close."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)


def main(role: str, roles: Roles) -> None:
    """The life of a worker process: one role, its own connections, until a signal."""
    harden()
    try:
        asyncio.run(_main(role, roles))
    except RefusedToStart as no:
        sys.stderr.write(f"certpipe {role}: {no}\n")
        sys.exit(2)


async def _main(role: str, roles: Roles) -> None:
    settings = Settings()
    configure(role=role, level=settings.log_level)
    if settings.database_url is None or settings.amqp_url is None:
        raise RefusedToStart(
            "a worker of its own needs CERTPIPE_DATABASE_URL and CERTPIPE_AMQP_URL; "
            "for everything in one process with embedded defaults use `make up`"
        )
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    async with opened(
        settings,
        role=role,
        database_url=settings.database_url.get_secret_value(),
        amqp_url=settings.amqp_url.get_secret_value(),
    ) as process:
        await serve(await roles(process), stopping)
