"""The servers, endpoints and events that the benchmark of webhooks needs."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from uuid import UUID

from bench.children import Child
from certpipe.broker.declare import apply
from certpipe.core.clock import SystemClock
from certpipe.core.ids import uuid7
from certpipe.core.ports.directory import Organization, Party, PartyKind
from certpipe.core.ports.doors import NewUpload
from certpipe.core.ports.runtime import Advanced
from certpipe.core.ports.webhooks import NewEndpoint
from certpipe.core.uploads import Box, Validated
from certpipe.crypto.endpoint_sealing import HpkeEndpointSealer
from certpipe.crypto.keymaking import init_keys
from certpipe.development.postgres import EmbeddedPostgres
from certpipe.development.rabbitmq import PrivateRabbit
from certpipe.store.cursors import StoreCursors
from certpipe.store.database import Database
from certpipe.store.directory import StoreDirectory
from certpipe.store.endpoints import StoreEndpoints
from certpipe.store.feed import StoreFeed
from certpipe.store.hinting import Hinter
from certpipe.store.intake import StoreIntake
from certpipe.store.ledgers.validate import ValidateLedger
from certpipe.store.migrate import migrate
from certpipe.store.relay import StoreRelay
from schemas.base import Kind
from schemas.messages import UploadRef
from schemas.status import CertificateFacts
from schemas.upload import SealFormat

SECONDS: Final = 120
_BOX: Final = Box(SealFormat.HPKE, "intake-1", bytes(2_000))
_FACTS: Final = CertificateFacts(
    number="30001000000500003416",
    rfc="EKU9003173C9",
    legal_name="ESCUELA KEMPER URGATE",
    kind=Kind.CSD,
    valid_from=datetime(2025, 1, 1, tzinfo=UTC),
    valid_to=datetime(2029, 1, 1, tzinfo=UTC),
)


@dataclass(frozen=True, slots=True)
class Grounds:
    """Servers of the run's own, and the store over them."""

    folder: Path
    postgres: EmbeddedPostgres
    rabbit: PrivateRabbit
    database: Database
    hinter: Hinter

    async def organization(self, ports: Sequence[int]) -> tuple[UUID, UUID]:
        """A new one with an endpoint at each of these ports, and a party of it."""
        made = Organization(uuid7(), "EKU9003173C9", "Escuela Kemper Urgate")
        party = Party(uuid7(), made.id, PartyKind.ENTRY, made.rfc, made.name)
        directory = StoreDirectory(self.database)
        await directory.put_organization(made, owner="bench")
        await directory.put_party(party)
        endpoints, sealer = StoreEndpoints(self.database, self.hinter), HpkeEndpointSealer.from_folder(self.folder)
        for port in ports:
            new = uuid7()
            url, sealed = f"http://127.0.0.1:{port}/", sealer.seal_headers(new, {})
            keys = sealer.new_keys(new)
            await endpoints.create(NewEndpoint(new, made.id, url, None, "", keys, (), sealed), now=SystemClock().now())
        return made.id, party.id

    async def accepted(self, organization: UUID, party: UUID, count: int) -> list[UploadRef]:
        """New uploads: an event each."""
        intake = StoreIntake(self.database)
        upload = {"organization_id": organization, "party_id": party, "kind": Kind.CSD, "rfc": None, "box": _BOX}
        news = [NewUpload(id=uuid7(), door="bench", submitted_by="bench", **upload) for _ in range(count)]  # type: ignore[arg-type] # a dictionary of several types
        return [each.ref for each in await asyncio.gather(*(intake.accept(new) for new in news))]

    async def validated(self, organization: UUID, refs: Sequence[UploadRef]) -> None:
        """The next step of these: another event each."""
        ledger = ValidateLedger(self.database, self.hinter)
        await ledger.settle([Advanced(ref, Validated(ref, organization, _BOX, _FACTS, ())) for ref in refs])

    @asynccontextmanager
    async def worker(self, number: int = 1) -> AsyncIterator[Mapping[str, Child]]:
        """So many notify workers, as production starts them."""
        environment = {
            "CERTPIPE_DATABASE_URL": self.postgres.url,
            "CERTPIPE_AMQP_URL": self.rabbit.url,
            "CERTPIPE_KEYS_DIR": str(self.folder),
            "CERTPIPE_WEBHOOK_NETWORKS": "127.0.0.0/8",
        }
        async with AsyncExitStack() as stack:
            running = {}
            for name in (f"notify {each + 1}" for each in range(number)):
                log = self.folder.parent / f"{name}.log"
                running[name] = await Child.start(name, "-m", "workers.notify", log=log, environment=environment)
                stack.push_async_callback(running[name].stop)
            yield running


@asynccontextmanager
async def opened() -> AsyncIterator[Grounds]:
    """Start everything, and stop it at the end."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="certpipe-bench-")))
        init_keys(folder / "keys")
        postgres = EmbeddedPostgres(folder / "postgres", owner=os.getpid())
        rabbit = PrivateRabbit(folder / "rabbitmq", owner=os.getpid())
        for server in (postgres, rabbit):
            stack.push_async_callback(server.stop)
            await server.start()
        await asyncio.gather(apply(rabbit.url), migrate(postgres.url))
        database = await Database.open(postgres.url)
        stack.push_async_callback(database.close)
        hinter = Hinter(database, SystemClock())
        stack.push_async_callback(hinter.close)
        yield Grounds(folder / "keys", postgres, rabbit, database, hinter)


@asynccontextmanager
async def receiving(grounds: Grounds, endpoints: int) -> AsyncIterator[tuple[Child, Sequence[int]]]:
    """A receiver with so many ports."""
    log = grounds.folder.parent / "receiver.log"
    child = await Child.start("receiver", "-m", "bench.receiver", str(endpoints), log=log, environment={})
    try:
        yield child, await child.answer()
    finally:
        await child.stop()


async def placed(grounds: Grounds) -> None:
    """Every event has its place, and was published by AMQP as far as anybody knows."""
    relay, clock = StoreRelay(grounds.database, grounds.hinter), SystemClock()
    while (await relay.place(1_000, clock.now())).events:
        pass
    cursors, owner, now = StoreCursors(grounds.database), uuid7(), clock.now()
    async with asyncio.timeout(SECONDS):
        while await cursors.take("amqp", owner, now, now) is None:
            await clock.wait(0.5)
            now = clock.now()
    await cursors.advance("amqp", owner, await StoreFeed(grounds.database).last())
