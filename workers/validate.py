"""Proves bundles. Holds the intake private keys; reaches no network."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from certpipe.crypto.opening import BoxOpener
from certpipe.process import Process, Service, main
from certpipe.runtime.offload import Offload
from certpipe.sat.check import Verdict
from certpipe.sat.trust import Anchors, AnchorsError
from certpipe.stages.validate import Validate
from certpipe.starting import RefusedToStart
from certpipe.store.ledgers.validate import ValidateLedger
from schemas.status import Stage


@asynccontextmanager
async def role(process: Process) -> AsyncIterator[Sequence[Service]]:
    """The validate stage."""
    settings = process.settings
    run: Offload[Verdict] = Offload()
    step = Validate(
        opener=BoxOpener.from_folder(settings.keys),
        anchors=_anchors(settings.extra_anchors),
        environment=settings.sat_environment,
        clock=process.clock,
        run=run,
    )
    try:
        yield [process.worker(Stage.VALIDATE, step, ValidateLedger(process.database, process.hinter))]
    finally:
        run.close()


def _anchors(extra: Path | None) -> Anchors:
    """SAT's authorities, and those that the operator adds. Raises `AnchorsError`, `RefusedToStart`."""
    anchors = Anchors.packaged()
    if extra is None:
        return anchors
    try:
        return anchors.with_extra(extra.read_text(encoding="utf-8"))
    except OSError as error:
        fault = (error.strerror or type(error).__name__).lower()
    except UnicodeDecodeError:
        fault = "not text"
    except AnchorsError as error:
        fault = str(error)
    raise RefusedToStart(
        f"CERTPIPE_EXTRA_ANCHORS ({extra}) cannot be used, {fault}: name a readable JSON file of anchors, or unset it"
    )


if __name__ == "__main__":
    main("validate", role)
