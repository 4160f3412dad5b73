"""Wraps the parts of a bundle. Holds the intake private keys and the key provider."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from certpipe.core.bundle import Bundle
from certpipe.crypto.envelope import EnvelopeWrapper
from certpipe.crypto.keys import open_provider
from certpipe.crypto.opening import BoxOpener
from certpipe.process import Process, Service, main
from certpipe.runtime.offload import Offload
from certpipe.stages.encrypt import Encrypt
from certpipe.store.ledgers.encrypt import EncryptLedger
from schemas.status import Stage


@asynccontextmanager
async def role(process: Process) -> AsyncIterator[Sequence[Service]]:
    """The encrypt stage."""
    keys = process.settings.keys
    run: Offload[Bundle] = Offload(threads=1)
    step = Encrypt(
        opener=BoxOpener.from_folder(keys),
        wrapper=EnvelopeWrapper(open_provider(process.settings.key_provider, keys)),
        run=run,
    )
    try:
        yield [process.worker(Stage.ENCRYPT, step, EncryptLedger(process.database, process.hinter))]
    finally:
        run.close()


if __name__ == "__main__":
    main("encrypt", role)
