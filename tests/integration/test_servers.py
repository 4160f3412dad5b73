"""The fixtures themselves: others build on them."""

import asyncio
import json
import os
from pathlib import Path

import aio_pika
import asyncpg
import pytest
from aiormq.exceptions import AMQPConnectionError, ChannelAccessRefused, ChannelNotFoundEntity

from certpipe.core.clock import SystemClock
from certpipe.development.installation import Installation
from certpipe.development.postgres import EmbeddedPostgres
from certpipe.development.processes import Daemon, spawn
from certpipe.development.rabbitmq import PrivateRabbit
from certpipe.development.servers import servers as development_servers
from certpipe.settings import Settings
from certpipe.starting import RefusedToStart
from tests import servers


async def _count(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM kept"))
    finally:
        await connection.close()


async def _keep(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("CREATE TABLE IF NOT EXISTS kept (n int); INSERT INTO kept VALUES (1)")
    finally:
        await connection.close()


async def _declare(url: str, *, passive: bool = False) -> None:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        await channel.declare_queue(
            "certpipe.validate.v1", durable=True, passive=passive, arguments={"x-queue-type": "quorum"}
        )


@pytest.mark.parametrize("turn", [1, 2])
async def test_each_test_has_a_virtual_host_that_nobody_used(amqp_url: str, turn: int) -> None:
    assert turn
    with pytest.raises(ChannelNotFoundEntity):
        await _declare(amqp_url, passive=True)
    await _declare(amqp_url)


@pytest.mark.parametrize("turn", [1, 2])
async def test_each_test_has_an_empty_database(database_url: str, turn: int) -> None:
    assert turn
    with pytest.raises(asyncpg.UndefinedTableError):
        await _count(database_url)
    await _keep(database_url)


def test_more_tests_than_virtual_hosts_were_made_at_once_get_one_each(shared_folder: Path) -> None:
    """A broker that was given has one, which is cleared each time."""
    urls = []
    for _ in range(14):
        with servers.fresh_amqp_url(shared_folder) as url:
            urls.append(url)
    assert len(set(urls)) == (1 if os.environ.get("CERTPIPE_TEST_AMQP_URL") else 14)


async def test_a_private_node_keeps_what_is_durable_over_a_crash_and_a_stop(private_rabbit: PrivateRabbit) -> None:
    await _declare(private_rabbit.url)
    url = private_rabbit.url
    private_rabbit.kill()
    assert not private_rabbit.running
    with pytest.raises(AMQPConnectionError):
        await _declare(url)
    await private_rabbit.start()
    assert private_rabbit.url == url
    await _declare(url, passive=True)
    await private_rabbit.stop()
    assert not private_rabbit.running


async def test_a_second_start_finds_the_node_that_runs(private_rabbit: PrivateRabbit) -> None:
    before = (private_rabbit.folder / "server.json").read_text(encoding="utf-8")
    again = PrivateRabbit(private_rabbit.folder)
    await again.start()
    assert (again.folder / "server.json").read_text(encoding="utf-8") == before
    assert again.url == private_rabbit.url


async def test_a_user_of_a_private_node_may_do_what_was_granted(private_rabbit: PrivateRabbit) -> None:
    await private_rabbit.add_user("reader", "word", permissions=("", "", ".*"))
    url = private_rabbit.url_for("/", user="reader", password="word")
    with pytest.raises(ChannelAccessRefused):
        await _declare(url)


async def test_a_server_keeps_what_was_committed_when_it_is_killed(postgres_server: EmbeddedPostgres) -> None:
    await _keep(postgres_server.url)
    before = await _count(postgres_server.url)
    postgres_server.kill()
    assert not postgres_server.running
    with pytest.raises(ConnectionRefusedError):
        await _count(postgres_server.url)
    await EmbeddedPostgres(postgres_server.folder).start()
    assert await _count(postgres_server.url) == before


async def test_a_server_whose_socket_path_would_be_too_long_starts_all_the_same(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / ("long" * 25))
    await server.start()
    try:
        await _keep(server.url)
        assert await _count(server.url) == 1
    finally:
        await server.stop()


async def test_data_of_another_version_are_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("16\n")
    with pytest.raises(RuntimeError, match="is of PostgreSQL 16, not 18"):
        await EmbeddedPostgres(tmp_path).start()


async def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(RuntimeError, match="holds no PostgreSQL database"):
        await EmbeddedPostgres(tmp_path).start()


def test_a_node_and_its_programs_listen_on_the_loopback_interface_alone(private_rabbit: PrivateRabbit) -> None:
    ports = json.loads((private_rabbit.folder / "ports.json").read_text(encoding="utf-8")).values()
    listening = {
        (address, int(port, 16))
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]
        for address, port in [line.split()[1].split(":")]
        if line.split()[3] == "0A"
    }
    ours = {(address, port) for address, port in listening if port in set(ports)}
    assert {port for _, port in ours} == set(ports)
    # 127.0.0.1, and ::1 (epmd's second), as the kernel writes them.
    assert {address for address, _ in ours} <= {"0100007F", "00000000000000000000000001000000"}


async def test_a_server_with_an_owner_ends_when_the_owner_is_killed(tmp_path: Path) -> None:
    owner = spawn(["sleep", "600"], env=os.environ, log=tmp_path / "log")
    server = spawn(["sleep", "600"], env=os.environ, log=tmp_path / "log", owner=owner.pid)
    kept = spawn(["sleep", "600"], env=os.environ, log=tmp_path / "log")
    owner.kill()
    try:
        assert await server.gone(60)
        assert kept.alive
    finally:
        server.kill()
        kept.kill()


async def test_a_server_whose_owner_has_died_is_replaced_and_keeps_its_data(tmp_path: Path) -> None:
    owner = spawn(["sleep", "600"], env=os.environ, log=tmp_path / "log")
    await EmbeddedPostgres(tmp_path / "server", owner=owner.pid).start()
    owner.kill()
    server = EmbeddedPostgres(tmp_path / "server", owner=os.getpid())
    try:
        await server.start()
        record = Daemon.load(tmp_path / "server" / "server.json")
        assert record is not None
        assert record.owner == os.getpid()
        await _keep(server.url)
        # What watched the old server must not reach the new one.
        assert not await record.gone(2)
        assert await _count(server.url) == 1
    finally:
        await server.stop()


def test_where_rabbitmq_is_missing_and_cannot_be_installed_it_is_said_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "Installation", lambda: Installation(root=tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="apt-get install rabbitmq-server; start Docker; set CERTPIPE_TEST_AMQP_URL"):
        servers.install_rabbitmq()


async def test_a_node_without_rabbitmq_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="apt-get install rabbitmq-server"):
        await PrivateRabbit(tmp_path / "node", root=tmp_path).start()


async def test_what_started_is_stopped_when_the_other_server_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "postgres" / "data").mkdir(parents=True)
    with pytest.raises(RefusedToStart, match="holds no PostgreSQL database"):
        async with development_servers(Settings(rabbitmq="local", database_url=None, amqp_url=None), tmp_path):
            pass
    assert (tmp_path / "rabbitmq" / "data").exists()
    assert not PrivateRabbit(tmp_path / "rabbitmq").running


async def test_a_start_that_is_given_up_leaves_no_server_behind(tmp_path: Path) -> None:
    settings = Settings(rabbitmq="local", database_url=None, amqp_url=None)
    starting = asyncio.create_task(development_servers(settings, tmp_path).__aenter__())
    rabbit = PrivateRabbit(tmp_path / "rabbitmq")
    while not rabbit.running:
        assert not starting.done()
        await SystemClock().wait(0.01)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert not rabbit.running
    assert not EmbeddedPostgres(tmp_path / "postgres").running
