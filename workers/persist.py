"""Stores versions and swaps them in. Holds nothing that opens anything."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from certpipe.process import Process, Service, main
from certpipe.stages.persist import Persist
from certpipe.store.ledgers.persist import PersistLedger
from schemas.status import Stage


@asynccontextmanager
async def role(process: Process) -> AsyncIterator[Sequence[Service]]:
    """The persist stage."""
    yield [process.worker(Stage.PERSIST, Persist(), PersistLedger(process.database, process.hinter))]


if __name__ == "__main__":
    main("persist", role)
