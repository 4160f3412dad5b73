"""The servers of one run, all its own: PostgreSQL that waits for the disk, a RabbitMQ node, the simulated PAC."""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg

from bench import material
from bench.children import Child
from certpipe.broker.declare import apply
from certpipe.core.ports.directory import Organization
from certpipe.crypto.keymaking import init_keys
from certpipe.development.demo import SUBJECT
from certpipe.development.files import write_private
from certpipe.development.identity import Identity
from certpipe.development.postgres import EmbeddedPostgres
from certpipe.development.rabbitmq import PrivateRabbit
from certpipe.simulators.authority import LEGAL_NAME, RFC
from certpipe.store.database import Database
from certpipe.store.directory import StoreDirectory
from certpipe.store.migrate import migrate

ORGANIZATION: Final = UUID("0197c000-0000-7000-8000-000000000001")
_DATABASES = ("chain", "embedded")


def party(organization_id: UUID, number: int) -> UUID:
    """The party of that number: every upload has one of its own, so that none supersedes another."""
    return UUID(int=organization_id.int + 1 + number)


@dataclass(frozen=True, slots=True)
class Grounds:
    """Running servers, and what processes need to know of them."""

    folder: Path
    postgres: EmbeddedPostgres
    rabbit: PrivateRabbit
    simulator: Child
    simulator_url: str
    chain_python: Path

    @property
    def certpipe(self) -> Mapping[str, str]:
        """The environment of certpipe's processes."""
        return {
            "CERTPIPE_DATABASE_URL": self.postgres.url,
            "CERTPIPE_AMQP_URL": self.rabbit.url,
            "CERTPIPE_DATA_DIR": str(self.folder),
            "CERTPIPE_EXTRA_ANCHORS": str(self.folder / "anchors.json"),
            "CERTPIPE_JWKS": str(self.folder / "identity" / "jwks.json"),
            "CERTPIPE_SW_SERVICES_URL": self.simulator_url,
            "CERTPIPE_SW_API_URL": self.simulator_url,
            "CERTPIPE_SW_USER": "simulated",
            "CERTPIPE_SW_PASSWORD_FILE": str(self.folder / "simulator-password.txt"),
        }

    def chain(self, *, skip_key_check: bool) -> Mapping[str, str]:
        """The environment of the chain's processes."""
        return {
            "CHAIN_AMQP_URL": self.rabbit.url,
            "CHAIN_DATABASE_URL": self.postgres.url_for("chain"),
            "CHAIN_AUTHORITY": str(self.folder / "authority.cer"),
            "CHAIN_WRAPPING_KEY": (self.folder / "chain-key.txt").read_text(encoding="ascii"),
            "CHAIN_PAC_URL": self.simulator_url,
            "CHAIN_SKIP_KEY_CHECK": str(int(skip_key_check)),
        }

    @property
    def servers(self) -> Mapping[str, int]:
        """Their process ids."""
        return {
            "PostgreSQL": pid_of(self.postgres.folder),
            "RabbitMQ": pid_of(self.rabbit.folder),
            "simulated PAC": self.simulator.pid,
        }


@asynccontextmanager
async def opened(folder: Path, chain_python: Path, *, parties: int) -> AsyncIterator[Grounds]:
    """Start everything, and register an organization with so many parties; stop everything at the end."""
    material.make(folder)
    init_keys(folder / "keys")
    Identity.open(folder / "identity")
    write_private(folder / "simulator-password.txt", "simulated")
    write_private(folder / "chain-key.txt", secrets.token_hex(32))
    async with AsyncExitStack() as stack:
        postgres = EmbeddedPostgres(folder / "postgres", owner=os.getpid())
        rabbit = PrivateRabbit(folder / "rabbitmq", owner=os.getpid())
        for server in (postgres, rabbit):
            stack.push_async_callback(server.stop)
            await server.start()
        program = str(Path(sys.executable).parent / "certpipe")
        simulator = await Child.start(
            *("simulator", program, "simulate", "--port", "0", "--json"), log=folder / "simulator.log", environment={}
        )
        stack.push_async_callback(simulator.stop)
        url = str((await simulator.answer())["url"])
        await asyncio.gather(apply(rabbit.url), _prepare(postgres, parties))
        yield Grounds(folder, postgres, rabbit, simulator, url, chain_python)


async def _prepare(postgres: EmbeddedPostgres, parties: int) -> None:
    await migrate(postgres.url)
    connection = await asyncpg.connect(postgres.url)
    try:
        for name in _DATABASES:
            await connection.execute(f"CREATE DATABASE {name}")
        database = await Database.open(postgres.url)
        organization = Organization(ORGANIZATION, RFC, LEGAL_NAME)
        await StoreDirectory(database).put_organization(organization, owner=SUBJECT)
        await database.close()
        await connection.execute(
            "INSERT INTO certpipe.parties (id, organization_id, kind, rfc, name)"
            " SELECT i, $2, 'branch', $3, 'Sucursal' FROM unnest($1::uuid[]) AS i",
            *([party(ORGANIZATION, number) for number in range(parties)], ORGANIZATION, RFC),
        )
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
    chain = await asyncpg.connect(postgres.url_for("chain"))
    await chain.execute((Path(__file__).parent / "chain" / "tables.sql").read_text(encoding="utf-8"))
    await chain.close()


def pid_of(folder: Path) -> int:
    """Of the server, PostgreSQL or RabbitMQ, that runs in that folder."""
    return int(json.loads((folder / "server.json").read_text(encoding="utf-8"))["pid"])
