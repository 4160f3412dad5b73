"""Setting a scenario's system up, and taking it down."""

import asyncio
import json
import random
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import aiohttp
import asyncpg

from certpipe.core.clock import SystemClock
from certpipe.crypto.keymaking import init_keys
from certpipe.development.demo import SUBJECT, Demo
from certpipe.development.files import write_private
from certpipe.development.folder import VERSION
from certpipe.development.identity import Identity
from certpipe.development.ports import free_ports
from certpipe.development.postgres import EmbeddedPostgres
from certpipe.store.database import Database
from certpipe.store.directory import StoreDirectory
from certpipe.store.migrate import migrate
from tests.chaos.brokers import Broker, through
from tests.chaos.load import Load
from tests.chaos.material import Material, Pair
from tests.chaos.programs import Program
from tests.chaos.progress import Progress
from tests.chaos.proxy import Proxy, Target
from tests.chaos.receiving import Receiver
from tests.chaos.rig import Rig
from tests.chaos.scenario import Scenario

LEAST_WINDOW: Final = 400
RATE: Final = 180.0
RATE_IN_PROCESS: Final = 110.0
"""Uploads per second: three quarters of what two processors do, clients, PAC, receiver and servers on them."""
HEARTBEAT: Final = 5
_SIMULATE: Final = ("-c", "from certpipe.cli import main; main()", "simulate", "--json", "--port")


@asynccontextmanager
async def opened(
    scenario: Scenario, broker: Broker, postgres: EmbeddedPostgres, *, uploads: int, seed: int
) -> AsyncIterator[Rig]:
    """The whole system of one scenario, running; everything of it is gone afterwards, but not the two servers."""
    chance = random.Random(f"{scenario.name} {seed}")  # noqa: S311 - repeatable moments, not a secret
    folder = Path(tempfile.mkdtemp(prefix=f"certpipe-chaos-{scenario.name}-"))
    material = Material()
    pairs = _mixed(material, uploads, scenario.poison, chance)
    async with AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        await postgres.start()
        database = f"chaos_{secrets.token_hex(6)}"
        await _execute(postgres.url, f"CREATE DATABASE {database}")
        stack.push_async_callback(_drop, postgres, database)
        demo = _folder_of(folder, material)
        await _prepare(postgres.url_for(database), demo, pairs)
        amqp_url = await broker.fresh()
        link = await _linked(stack, scenario, postgres, broker, chance)
        simulator, simulator_url = await _simulator(stack, folder)
        environment = _environment(folder, simulator_url)
        environment["CERTPIPE_DATABASE_URL"] = _database_url(postgres, database, link["database"])
        if amqp_url:
            proxy = link["broker"]
            environment["CERTPIPE_AMQP_URL"] = through(amqp_url, proxy.port, heartbeat=HEARTBEAT) if proxy else amqp_url
        receiver = Receiver(seed)
        await receiver.start()
        stack.push_async_callback(receiver.stop)
        progress = Progress(postgres.url_for(database))
        token = Identity.open(folder / "identity").token(SUBJECT, operator=True, lifetime=timedelta(hours=20))
        url = f"http://127.0.0.1:{environment['CERTPIPE_HTTP_PORT']}"
        window = max(LEAST_WINDOW, uploads // 5)
        rig = Rig(
            broker=broker,
            postgres=postgres,
            folder=folder,
            chance=chance,
            database=database,
            organization_id=demo.organization_id,
            environment=environment,
            progress=progress,
            receiver=receiver,
            load=Load(url, token, pairs, RATE if broker.node else RATE_IN_PROCESS, window, progress.ended),
            simulator=simulator,
            simulator_url=simulator_url,
            database_proxy=link["database"],
            broker_proxy=link["broker"],
        )
        stack.push_async_callback(rig.stop)
        await rig.start(scenario.mischief)
        if scenario.told:
            await rig.subscribe()
        progress.start()
        stack.push_async_callback(progress.stop)
        yield rig


def _mixed(material: Material, uploads: int, poison: int, chance: random.Random) -> Sequence[Pair]:
    """The usual ones in their order, and the poisonous ones somewhere among them."""
    pairs = list(material.pairs(uploads))
    for pair in material.poison(poison):
        pairs.insert(chance.randrange(uploads // 4, uploads // 2), pair)
    return pairs


async def _prepare(database_url: str, demo: Demo, pairs: Sequence[Pair]) -> None:
    """The schema, the organization and every party. As the organization is known, nobody makes a first upload."""
    await migrate(database_url)
    database = await Database.open(database_url)
    await demo.register(StoreDirectory(database))
    await database.close()
    parties = {pair.party_id: pair.rfc for pair in pairs}
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            "INSERT INTO certpipe.parties (id, organization_id, kind, rfc, name)"
            " SELECT p.id, $3, 'branch', p.rfc, 'Sucursal' FROM unnest($1::uuid[], $2::text[]) AS p (id, rfc)",
            *(list(parties), list(parties.values()), demo.organization_id),
        )
        await connection.execute("VACUUM ANALYZE certpipe.parties")
    finally:
        await connection.close()


async def _linked(
    stack: AsyncExitStack, scenario: Scenario, postgres: EmbeddedPostgres, broker: Broker, chance: random.Random
) -> Mapping[str, Proxy | None]:
    """The proxies that the scenario asks for; a cluster is always reached by one, which finds a node that lives."""
    targets: dict[str, list[Target]] = {"database": [socket_of(postgres.url)], "broker": broker.targets}
    wanted = scenario.proxies | ({"broker"} if broker.name == "cluster" else set())
    link: dict[str, Proxy | None] = dict.fromkeys(targets)
    for name in sorted(wanted):
        if targets[name]:
            proxy = Proxy(targets[name], chance)
            await proxy.start()
            stack.push_async_callback(proxy.stop)
            link[name] = proxy
    return link


async def _simulator(stack: AsyncExitStack, folder: Path) -> tuple[Program, str]:
    """The simulated PAC, which is never started again: it holds what it got in its memory."""
    [port] = free_ports(1)
    simulator = Program("simulator", (*_SIMULATE, str(port)), {}, folder / "simulator.log")
    await simulator.start()
    simulator.kept = False
    stack.push_async_callback(simulator.stop)
    url = f"http://127.0.0.1:{port}"
    async with asyncio.timeout(60), aiohttp.ClientSession(trust_env=False) as http:
        while True:
            try:
                async with http.get(f"{url}/_health"):
                    return simulator, url
            except (aiohttp.ClientError, OSError):
                await SystemClock().wait(0.05)


def _folder_of(folder: Path, material: Material) -> Demo:
    """Make it a data folder with keys, an identity and a demo, which trusts both authorities."""
    write_private(folder / "VERSION", VERSION)
    init_keys(folder / "keys")
    Identity.open(folder / "identity")
    demo = Demo.open(folder / "demo", at=datetime.now(UTC))
    known = json.loads(demo.anchors.read_text(encoding="utf-8"))["anchors"]
    write_private(folder / "anchors.json", json.dumps([*known, material.authority.anchor()]))
    write_private(folder / "password.txt", "simulated")
    return demo


def _environment(folder: Path, simulator_url: str) -> dict[str, str]:
    return {
        "CERTPIPE_DATA_DIR": str(folder),
        "CERTPIPE_LOG_LEVEL": "WARNING",
        "CERTPIPE_HTTP_PORT": str(free_ports(1)[0]),
        "CERTPIPE_EXTRA_ANCHORS": str(folder / "anchors.json"),
        "CERTPIPE_JWKS": str(folder / "identity" / "jwks.json"),
        "CERTPIPE_JWT_MOST_HOURS": "24",
        "CERTPIPE_WEBHOOK_NETWORKS": "127.0.0.0/8",
        "CERTPIPE_SIMULATOR_URL": simulator_url,
        "CERTPIPE_SW_SERVICES_URL": simulator_url,
        "CERTPIPE_SW_API_URL": simulator_url,
        "CERTPIPE_SW_USER": "simulated",
        "CERTPIPE_SW_PASSWORD_FILE": str(folder / "password.txt"),
    }


def _database_url(postgres: EmbeddedPostgres, database: str, proxy: Proxy | None) -> str:
    if proxy is None:
        return postgres.url_for(database)
    return f"postgresql://postgres@127.0.0.1:{proxy.port}/{database}?sslmode=disable"


def socket_of(url: str) -> Path:
    """The Unix socket that this address of an embedded PostgreSQL names."""
    return Path(parse_qs(urlsplit(url).query)["host"][0]) / ".s.PGSQL.5432"


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _drop(postgres: EmbeddedPostgres, database: str) -> None:
    await postgres.start()
    await _execute(postgres.url, f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")
