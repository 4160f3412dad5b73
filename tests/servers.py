"""Where the tests' RabbitMQ and PostgreSQL come from. One of each serves the whole session, all its workers.

In this order: the one that `CERTPIPE_TEST_AMQP_URL` or `CERTPIPE_TEST_DATABASE_URL` names; a container, where a Docker
daemon answers and has or gets the image; a private RabbitMQ node from the machine's `rabbitmq-server`, which is
installed where that is allowed, and PostgreSQL from the wheel. There is no fourth way: then the tests fail.
"""

import asyncio
import fcntl
import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from certpipe.development.installation import Installation
from certpipe.development.postgres import EmbeddedPostgres
from certpipe.development.rabbitmq import USER, PrivateRabbit, vhosts_expression
from tests import containers

T = TypeVar("T")
_VHOSTS_AT_ONCE = 12


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` in a thread with a loop of its own, whatever this thread's loop does."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Only one process at a time is in here."""
    with file.open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def session_node(folder: Path) -> PrivateRabbit:
    """The node that the workers share; it does not outlive the test session."""
    return PrivateRabbit(folder / "rabbit", owner=int(os.environ["CERTPIPE_TESTS_OWNER"]))


def session_postgres(folder: Path) -> EmbeddedPostgres:
    """The server that the workers share; its data are thrown away, so it need not wait for the disk."""
    owner = int(os.environ["CERTPIPE_TESTS_OWNER"])
    return EmbeddedPostgres(folder / "postgres", owner=owner, settings={"fsync": "off", "max_connections": "300"})


@contextmanager
def fresh_amqp_url(folder: Path) -> Iterator[str]:
    """The URL of a virtual host that nobody used before; in a broker that was given, of a cleared one, by turns."""
    given = os.environ.get("CERTPIPE_TEST_AMQP_URL")
    if given:
        with locked(folder / "given.lock"):
            run(_clear(given))
            yield given
        return
    with locked(folder / "amqp.lock"):
        state = folder / "amqp.json"
        urls = json.loads(state.read_text(encoding="utf-8")) if state.exists() else []
        urls = urls or _more_vhosts(folder)
        url = urls.pop()
        state.write_text(json.dumps(urls), encoding="utf-8")
    yield url


@contextmanager
def fresh_database_url(folder: Path) -> Iterator[str]:
    """The URL of an empty database, dropped afterwards."""
    server = os.environ.get("CERTPIPE_TEST_DATABASE_URL")
    if not server:
        with locked(folder / "database.lock"):
            server = _container_url(folder, containers.POSTGRES) or _embedded_url(folder)
    name = f"certpipe_test_{secrets.token_hex(6)}"
    run(_execute(server, f"CREATE DATABASE {name} TEMPLATE template0"))
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        run(_execute(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


def install_rabbitmq() -> None:
    """Install `rabbitmq-server` if it is missing and may be installed.

    Raises:
        RuntimeError: it is missing still; the text says what to do.
    """
    if Installation().present:
        return
    may = [] if os.geteuid() == 0 else ["sudo", "-n"]
    # No service is wanted, on no port: in run level 1 Debian's scripts start none.
    environment = ["env", "RUNLEVEL=1", "DEBIAN_FRONTEND=noninteractive"]
    install = ["apt-get", "install", "-y", "--no-install-recommends", "rabbitmq-server"]
    said = ""
    for command in (["apt-get", "update"], install):
        try:
            done = subprocess.run([*may, *environment, *command], capture_output=True, text=True, check=False)
        except OSError as error:
            said = str(error)
            break
        said = done.stderr
    if not Installation().present:
        raise RuntimeError(
            "these tests need RabbitMQ. Do one of: apt-get install rabbitmq-server; start Docker; "
            f"set CERTPIPE_TEST_AMQP_URL. (Tried to install it: {said.strip()[-500:]})"
        )


def stop_all(folder: Path) -> None:
    """End every server that the session started, and throw their data away."""
    session_node(folder).kill()
    session_postgres(folder).kill()
    for record in folder.glob("*.container"):
        containers.remove(record.read_text(encoding="utf-8"))
    shutil.rmtree(folder, ignore_errors=True)


def _more_vhosts(folder: Path) -> list[str]:
    names = [f"test-{secrets.token_hex(4)}" for _ in range(_VHOSTS_AT_ONCE)]
    url = _container_url(folder, containers.RABBITMQ)
    if url:
        record = (folder / "rabbitmq.container").read_text(encoding="utf-8")
        containers.execute(record, ["rabbitmqctl", "eval", vhosts_expression(USER, names)])
        return [urlunsplit(urlsplit(url)._replace(path=f"/{name}")) for name in names]
    install_rabbitmq()
    node = session_node(folder)
    run(node.start())
    run(node.add_vhosts(*names))
    return [node.url_for(name) for name in names]


def _container_url(folder: Path, image: containers.Image) -> str | None:
    record, url = folder / f"{image.name}.container", folder / f"{image.name}.url"
    if not url.exists():
        started = containers.start(image)
        if started:
            record.write_text(started.id, encoding="utf-8")
        url.write_text(started.url if started else "", encoding="utf-8")
    return url.read_text(encoding="utf-8") or None


def _embedded_url(folder: Path) -> str:
    server = session_postgres(folder)
    run(server.start())
    return server.url


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _clear(url: str) -> None:
    import aio_pika  # noqa: PLC0415 -- only where a broker was given

    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        for stage in ("validate", "encrypt", "persist", "forward", "uploads", "dead"):
            await channel.queue_delete(f"certpipe.{stage}.v1")
        for exchange in ("work", "dead", "uploads", "events"):
            await channel.exchange_delete(f"certpipe.{exchange}")
