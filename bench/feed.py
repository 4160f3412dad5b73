"""The feeder of certpipe: seals, commits and dispatches through its own intake, as fast as it may."""

import asyncio
import json
import sys
from itertools import count, cycle
from pathlib import Path
from uuid import UUID

from bench.grounds import ORGANIZATION, party
from bench.material import bundles
from certpipe.core.bundle import Bundle
from certpipe.crypto.keyfiles import load_fingerprint_key
from certpipe.crypto.sealing import HpkeSealer
from certpipe.development.demo import SUBJECT
from certpipe.ingress.intake import IntakeService
from certpipe.ingress.recent import RecentDirectory
from certpipe.ingress.submission import Submission
from certpipe.process import Process, opened
from certpipe.starting import read_settings
from certpipe.store.directory import StoreDirectory
from certpipe.store.intake import StoreIntake
from schemas.base import Kind

AT_ONCE = 64


def _intake(process: Process) -> IntakeService:
    settings = process.settings
    return IntakeService(
        intake=StoreIntake(process.database),
        directory=RecentDirectory(StoreDirectory(process.database), process.clock),
        sealer=HpkeSealer.from_folder(settings.keys),
        dispatcher=process.dispatcher,
        backlog=process.backlog,
        fingerprint_key=load_fingerprint_key(settings.keys),
        limit=settings.backlog_limit,
        organization_limit=settings.organization_limit,
    )


async def _feed(intake: IntakeService, pairs: "cycle[Bundle]", parties: "count[int]", uploads: int) -> None:
    waiting = iter(range(uploads))

    async def client() -> None:
        for _ in waiting:
            submission = Submission(party_id=_party(parties), kind=Kind.CSD, bundle=next(pairs))
            await intake.submit(submission, subject=SUBJECT, door="bench", key=None)

    await asyncio.gather(*(client() for _ in range(AT_ONCE)))


def _party(parties: "count[int]") -> UUID:
    return party(ORGANIZATION, next(parties))


async def _main(folder: Path, first_party: int) -> None:
    settings = read_settings()
    if settings.database_url is None or settings.amqp_url is None:
        raise SystemExit("the feeder needs both servers")
    pairs, parties = cycle(bundles(folder)), count(first_party)
    database_url, amqp_url = settings.database_url.get_secret_value(), settings.amqp_url.get_secret_value()
    async with opened(settings, role="feeder", database_url=database_url, amqp_url=amqp_url) as process:
        intake = _intake(process)
        loop = asyncio.get_running_loop()
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            uploads = int(json.loads(line))
            await _feed(intake, pairs, parties, uploads)
            sys.stdout.write(f"{json.dumps(uploads)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), int(sys.argv[2])))
