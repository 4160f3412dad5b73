"""`make up`: set up what is missing, run every role in this process, send the first upload, say what to try next."""

import asyncio
import json
import shlex
import socket
import sys
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from certpipe.broker.declare import apply
from certpipe.core.clock import SystemClock
from certpipe.core.ports.directory import Producer
from certpipe.crypto.keymaking import init_keys
from certpipe.development.demo import SUBJECT, Demo
from certpipe.development.files import write_private
from certpipe.development.first_upload import first_upload
from certpipe.development.folder import data_folder
from certpipe.development.identity import Identity
from certpipe.development.servers import LOCAL, servers
from certpipe.observability import configure
from certpipe.process import Process, Role, Service, listening, opened, serve, stop_on_signals
from certpipe.runtime.notebook import FileNotebook
from certpipe.settings import Environment, Settings
from certpipe.simulators.sw import start_simulator
from certpipe.starting import RefusedToStart, read_settings
from certpipe.store.directory import StoreDirectory
from certpipe.store.migrate import migrate
from schemas.base import Kind

TOKEN_DAYS: Final = 30
_USUAL: Final = Path(".certpipe")
_LOOPBACK: Final = "127.0.0.0/8,::1/128"
"""Where a developer's receivers of webhooks listen."""


class IngressRole(Protocol):
    """The doors, on a socket that listens already."""

    def __call__(
        self, process: Process, listener: socket.socket, /
    ) -> AbstractAsyncContextManager[Sequence[Service]]: ...


def say(line: str) -> None:
    """Tell the person at the terminal."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def up(ingress: IngressRole, others: Sequence[Role]) -> None:
    """The whole life of a development installation. Raises `RefusedToStart` with the remedy."""
    settings = _development(read_settings())
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(data_folder(settings.data_dir))
        listener = stack.enter_context(closing(listening(settings.http_host, settings.http_port)))
        say(_starting(settings, folder))
        started = asyncio.create_task(stack.enter_async_context(servers(settings, folder)))
        if not await _done_before(stopping, started):
            say("stopped before anything ran")
            return
        database_url, amqp_url = started.result()
        await migrate(database_url)
        if amqp_url:
            await apply(amqp_url)
        simulator_url = settings.simulator_url or await _simulator(stack)
        demo, identity = Demo.open(folder / "demo", at=SystemClock().now()), _identity(settings, folder)
        settings = _with_demo(settings, folder, demo, identity, simulator_url)
        process = await stack.enter_async_context(
            opened(
                settings,
                role="all",
                database_url=database_url,
                amqp_url=amqp_url,
                notebook=None if amqp_url else FileNotebook(folder / "in-hand"),
            )
        )
        fresh = await _register(process, demo, amqp_url)
        services = list(await stack.enter_async_context(ingress(process, listener)))
        for role in others:
            services += await stack.enter_async_context(role(process))
        # What waited in the memory of the process before, or in another broker; what it had in hand, apart.
        await process.suspects.suspect(process.notebook.left(), deaths=1)
        process.notebook.clear()
        await process.suspects.redrive()
        await process.backlog.redrive()
        host, port = listener.getsockname()[:2]
        address = {
            "url": f"http://{host}:{port}",
            "token": identity.token(SUBJECT, operator=True, lifetime=timedelta(days=TOKEN_DAYS)),
            "organization_id": str(demo.organization_id),
            "parties": {kind.value: str(party_id) for kind, party_id in demo.parties.items()},
            "simulator_url": simulator_url,
            "jwks": settings.jwks,
            "amqp_url": amqp_url,
        }
        await _serve(services, stopping, _welcome(address, demo, folder, fresh=fresh))
    say("stopped; nothing is lost, `make up` goes on from here")


async def _serve(services: Sequence[Service], stopping: asyncio.Event, welcome: Coroutine[None, None, None]) -> None:
    """Serve until it is time to stop, and welcome whoever started it meanwhile."""
    serving, welcoming = asyncio.create_task(serve(services, stopping)), asyncio.create_task(welcome)
    try:
        await asyncio.wait([serving, welcoming], return_when=asyncio.FIRST_COMPLETED)
        if not stopping.is_set():  # else the first upload was cut short by us
            await welcoming
        await serving
    finally:
        stopping.set()
        welcoming.cancel()
        await asyncio.gather(serving, welcoming, return_exceptions=True)


async def _simulator(stack: AsyncExitStack) -> str:
    simulator = await start_simulator("127.0.0.1", 0)
    stack.push_async_callback(simulator.stop)
    return simulator.url


def _identity(settings: Settings, folder: Path) -> Identity:
    try:
        return Identity.open(folder / "identity", issuer=settings.jwt_issuer, audience=settings.jwt_audience)
    except PermissionError as error:
        raise RefusedToStart(str(error)) from None


async def _done_before(stopping: asyncio.Event, task: asyncio.Task[tuple[str, str | None]]) -> bool:
    """Wait for the task, and give it up when a signal comes first: a broker takes its time to start."""
    stop = asyncio.create_task(stopping.wait())
    await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
    for each in (stop, task):
        each.cancel()
    await asyncio.wait({task, stop})
    return not task.cancelled()


def _development(settings: Settings) -> Settings:
    if settings.environment is Environment.PRODUCTION:
        raise RefusedToStart(
            "this is the development set-up, with development keys and a simulated PAC, and CERTPIPE_ENVIRONMENT is "
            "production: run one process per file in workers/ instead (see docker-compose.yml)"
        )
    # On a terminal the steps of every upload would drown what is said here.
    asked = "log_level" in settings.model_fields_set or not sys.stderr.isatty()
    configure(role="all", level=settings.log_level if asked else "WARNING")
    return settings


def _starting(settings: Settings, folder: Path) -> str:
    own = ["PostgreSQL"] * (not settings.database_url) + ["RabbitMQ"] * (settings.rabbitmq == LOCAL)
    return f"certpipe starts {' and '.join([*own, 'every worker'])}; data, keys and token: {_near(folder)}"


def _near(path: Path) -> Path:
    """As one would type it here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _with_demo(settings: Settings, folder: Path, demo: Demo, identity: Identity, simulator_url: str) -> Settings:
    """The settings, pointing to the keys, the issuer, the authority and the simulator of this folder."""
    init_keys(settings.keys)
    write_private(folder / "simulator-password.txt", "simulated")
    update = {
        "extra_anchors": settings.extra_anchors or demo.anchors,
        "jwks": settings.jwks or str(identity.jwks),
        "jwt_most_hours": TOKEN_DAYS * 24,
        "webhook_networks": settings.webhook_networks or _LOOPBACK,
        "sw_services_url": simulator_url,
        "sw_api_url": simulator_url,
        "sw_user": "simulated",
        "sw_password_file": folder / "simulator-password.txt",
    }
    return settings.model_copy(update=update)


async def _register(process: Process, demo: Demo, amqp_url: str | None) -> bool:
    """The demo organization, and the AMQP user as its producer; true when the organization is new."""
    directory = StoreDirectory(process.database)
    fresh = await directory.organization(demo.organization_id) is None
    await demo.register(directory)
    if amqp_url:
        user = unquote(urlsplit(amqp_url).username or "guest")
        await directory.put_producer(Producer(user, demo.organization_id, may_send_clear=True))
    return fresh


async def _welcome(address: Mapping[str, object], demo: Demo, folder: Path, *, fresh: bool) -> None:
    url, token = str(address["url"]), str(address["token"])
    if fresh:
        say("\nThe first upload, a CSD that an authority of our own issued:")
        await first_upload(url, token, demo.parties[Kind.CSD], demo.pair(Kind.CSD), say)
    write_private(folder / "dev.json", json.dumps(address, indent=1))
    certificate, key, password = (shlex.quote(str(_near(file))) for file in demo.pair(Kind.FIEL))
    command = ".venv/bin/certpipe"
    if folder != _USUAL.resolve():
        command = f"CERTPIPE_DATA_DIR={shlex.quote(str(_near(folder)))} {command}"
    say(
        f"\ncertpipe serves on {url}; the simulated PAC on {address['simulator_url']}; Ctrl-C stops it.\n"
        f"The broker is {'RabbitMQ' if address['amqp_url'] else 'in this process'}. Try next, in another terminal:\n"
        f"  {command} upload {certificate} {key} --password-file {password}\n"
        f"  {command} status\n"
        f"  curl -s {address['simulator_url']}/_received\n"
    )
