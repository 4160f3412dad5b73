"""One operating-system process: what it opens, in which order it stops. `workers/` say what runs in it."""

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, TypeVar

from pydantic import ValidationError

from certpipe.broker import open_broker
from certpipe.broker.declare import verify
from certpipe.broker.problems import BROKER_REFUSED
from certpipe.broker.topology import WORK, queue_of
from certpipe.core.clock import Clock, SystemClock
from certpipe.core.errors import Unavailable, place
from certpipe.core.ports.broker import Broker
from certpipe.core.ports.runtime import Dispatcher, Ledger, Notebook, Quarantine, StageStep
from certpipe.pipeline import PIPELINE
from certpipe.runtime.alone import EX_TEMPFAIL, Alone, LeftToTheSweeper
from certpipe.runtime.dispatch import CoalescingDispatcher
from certpipe.runtime.notebook import NoNotebook
from certpipe.runtime.quarantine import SECONDS, ChildQuarantine
from certpipe.runtime.work import Work
from certpipe.runtime.worker import Worker
from certpipe.settings import Settings
from certpipe.starting import RefusedToStart, configured, run
from certpipe.store.backlog import StoreBacklog
from certpipe.store.database import Database
from certpipe.store.hinting import Hinter
from certpipe.store.suspects import StoreSuspects
from schemas.messages import UploadRef
from schemas.status import Stage

log: Final = logging.getLogger(__name__)
In = TypeVar("In")
Out = TypeVar("Out")
ONLY: Final = "--only"


class Service(Protocol):
    """Something that runs until it is told to stop, and then finishes what it began."""

    async def run(self, stopping: asyncio.Event) -> None: ...


@dataclass(frozen=True, slots=True)
class Process:
    """What every role may hold. Keys, connectors and doors are opened by the roles that may hold them."""

    settings: Settings
    clock: Clock
    database: Database
    backlog: StoreBacklog
    broker: Broker
    dispatcher: Dispatcher
    hinter: Hinter
    suspects: StoreSuspects
    quarantine: Quarantine
    notebook: Notebook
    database_url: str = field(repr=False)
    only: UploadRef | None = None
    """The one upload that this process is for, where it is a quarantine."""

    def worker(
        self,
        stage: Stage,
        step: StageStep[In, Out],
        ledger: Ledger[In, Out],
        *,
        batches: int = 3,
        prefetch: int = 16,
        linger: float | None = None,
    ) -> Service:
        """The loop of one stage; in quarantine, its work on one upload."""
        work = Work(
            stage=stage,
            step=step,
            ledger=ledger,
            dispatcher=self.dispatcher,
            following=PIPELINE.following(stage),
            clock=self.clock,
            linger=linger,
        )
        if self.only is not None:
            return Alone(work, self.only)
        return Worker(
            work=work,
            inbox=self.broker.inbox(queue_of(stage), prefetch=prefetch),
            suspects=self.suspects,
            quarantine=self.quarantine,
            notebook=self.notebook,
            batches=batches,
        )


Role = Callable[[Process], AbstractAsyncContextManager[Sequence[Service]]]
"""Opens what one role may hold, gives its services, and closes it after them."""


@asynccontextmanager
async def opened(
    settings: Settings, *, role: str, database_url: str, amqp_url: str | None, notebook: Notebook | None = None
) -> AsyncIterator[Process]:
    """The database, the broker and the dispatcher; closed in the order that loses nothing.

    `notebook`: what is in hand, for a broker that forgets it with the process.
    """
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        database = await Database.open(database_url)
        stack.push_async_callback(database.close)
        broker = open_broker(amqp_url, role=role, clock=clock)
        stack.push_async_callback(broker.close)
        hinter = Hinter(database, clock)
        stack.push_async_callback(hinter.close)
        backlog = StoreBacklog(database, clock)
        stack.push_async_callback(backlog.close)
        dispatcher = CoalescingDispatcher(publisher=broker.publisher, backlog=backlog, exchange=WORK)
        drained = asyncio.Event()
        publishing = asyncio.create_task(dispatcher.run(drained))
        stack.push_async_callback(lambda: asyncio.wait({publishing}))
        stack.callback(drained.set)
        environment = {**os.environ, **settings.variables(), "CERTPIPE_DATABASE_URL": database_url}
        yield Process(
            settings=settings,
            clock=clock,
            database=database,
            backlog=backlog,
            broker=broker,
            dispatcher=dispatcher,
            hinter=hinter,
            suspects=StoreSuspects(database),
            quarantine=ChildQuarantine(_quarantine, environment, clock=clock),
            notebook=notebook or NoNotebook(),
            database_url=database_url,
        )


def _quarantine(stage: Stage, ref: UploadRef) -> Sequence[str]:
    """The role of that stage, for one upload: what it may hold is the same."""
    return [sys.executable, "-m", f"workers.{stage}", ONLY, f"{ref.id}:{ref.epoch}"]


async def serve(services: Sequence[Service], stopping: asyncio.Event) -> None:
    """Run all until `stopping`; when one breaks, stop the others and raise."""

    async def run(service: Service) -> None:
        try:
            await service.run(stopping)
        except Exception as error:
            log.error("a service broke; stopping", extra={"defect": place(error)})
            stopping.set()
            raise

    async with asyncio.TaskGroup() as group:
        for service in services:
            group.create_task(run(service))


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises `RefusedToStart` when somebody else does, or it may not be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise RefusedToStart(
            f"cannot listen on {host} port {port} ({_reason(error)}): "
            "stop what listens there, or choose another port with CERTPIPE_HTTP_PORT"
        ) from None


def _reason(error: OSError) -> str:
    """Why, without the address: the library adds it to the text of the error."""
    return os.strerror(error.errno).lower() if error.errno and error.errno > 0 else "no such address"


def stop_on_signals(stopping: asyncio.Event) -> None:
    """SIGTERM and Ctrl-C: finish, settle, ack, close."""
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)


def main(role: str, role_of: Role) -> None:
    """The life of a worker process: one role, its own connections, until a signal.

    With `--only ID:EPOCH` as its arguments it works on that upload alone, and ends.
    """
    match sys.argv[1:]:
        case []:
            run(role, _main(role, role_of))
        case [option, named] if option == ONLY and (ref := _named(named)) is not None:
            run(role, _only(role, role_of, ref))
        case _:
            sys.stderr.write(f"certpipe {role}: takes no arguments (or {ONLY} ID:EPOCH); see its environment\n")
            sys.exit(2)


def _named(text: str) -> UploadRef | None:
    upload_id, _, epoch = text.partition(":")
    try:
        return UploadRef.model_validate({"id": upload_id, "epoch": epoch})
    except ValidationError:
        return None


async def _only(role: str, role_of: Role, ref: UploadRef) -> None:
    """The quarantine: no broker, one upload, and an alarm clock for when nobody waits for it any more."""
    settings = configured(role)
    if settings.database_url is None:
        raise RefusedToStart("a quarantine needs CERTPIPE_DATABASE_URL")
    signal.alarm(2 * int(SECONDS))
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    database_url = settings.database_url.get_secret_value()
    try:
        async with opened(settings, role=role, database_url=database_url, amqp_url=None) as process:
            alone = replace(process, only=ref, dispatcher=LeftToTheSweeper())
            async with role_of(alone) as services:
                await serve(services, stopping)
    except* Unavailable:
        sys.exit(EX_TEMPFAIL)


async def _main(role: str, role_of: Role) -> None:
    settings = configured(role)
    if settings.database_url is None or settings.amqp_url is None:
        raise RefusedToStart(
            "a worker of its own needs CERTPIPE_DATABASE_URL and CERTPIPE_AMQP_URL; "
            "for everything in one process with embedded defaults use `make up`"
        )
    amqp_url = settings.amqp_url.get_secret_value()
    try:
        await verify(amqp_url)
    except Unavailable as away:
        if away.problems[0].code == BROKER_REFUSED.code:  # waiting would not mend that
            raise
        log.warning("RabbitMQ does not answer; waiting for it, and taking its queues as they will be")
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    async with (
        opened(
            settings, role=role, database_url=settings.database_url.get_secret_value(), amqp_url=amqp_url
        ) as process,
        role_of(process) as services,
    ):
        await serve(services, stopping)
