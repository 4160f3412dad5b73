"""Proves bundles. Holds the intake private keys; reaches no network."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from certpipe.crypto.opening import BoxOpener
from certpipe.process import Process, Service, main
from certpipe.runtime.offload import Offload
from certpipe.sat.check import Verdict
from certpipe.sat.trust import Anchors
from certpipe.stages.validate import Validate
from certpipe.store.ledgers.validate import ValidateLedger
from schemas.status import Stage


@asynccontextmanager
async def role(process: Process) -> AsyncIterator[Sequence[Service]]:
    """The validate stage."""
    settings = process.settings
    run: Offload[Verdict] = Offload()
    anchors = Anchors.packaged()
    if settings.extra_anchors:
        anchors = anchors.with_extra(settings.extra_anchors.read_text(encoding="utf-8"))
    step = Validate(
        opener=BoxOpener.from_folder(settings.keys),
        anchors=anchors,
        environment=settings.sat_environment,
        clock=process.clock,
        run=run,
    )
    yield [process.worker(Stage.VALIDATE, step, ValidateLedger(process.database, process.hinter))]
    run.close()


if __name__ == "__main__":
    main("validate", role)
