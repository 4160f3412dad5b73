"""The quarantine, over programs of a line that die in every way."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from certpipe.core.clock import SystemClock
from certpipe.core.errors import Unavailable
from certpipe.runtime.alone import BEGUN, EX_TEMPFAIL
from certpipe.runtime.quarantine import ChildQuarantine
from schemas.messages import UploadRef
from schemas.status import Stage
from tests.unit.runtime.fakes import ref

BEGIN = f"import os, sys; print({BEGUN!r}, flush=True); "


def quarantine(program: str, *, seconds: float = 60.0, grace: float = 60.0) -> ChildQuarantine:
    def command(stage: Stage, one: UploadRef) -> list[str]:
        return [sys.executable, "-S", "-c", program, stage, f"{one.id}:{one.epoch}"]

    return ChildQuarantine(command, dict(os.environ), clock=SystemClock(), seconds=seconds, grace=grace)


async def end_of(program: str, *, seconds: float = 60.0) -> str | None:
    return await quarantine(program, seconds=seconds).run(Stage.FORWARD, ref(), asyncio.Event())


async def test_a_child_that_does_its_work_is_no_suspect() -> None:
    assert await end_of(BEGIN + "assert sys.argv[1] == 'forward' and len(sys.argv[2]) == 38") is None


@pytest.mark.parametrize(
    ("death", "told"),
    [
        ("os.kill(os.getpid(), 9)", "was killed by SIGKILL"),
        ("os.kill(os.getpid(), 11)", "was killed by SIGSEGV"),
        ("os._exit(70)", "ended with exit code 70"),
    ],
)
async def test_a_child_that_dies_of_its_upload_tells_how(death: str, told: str) -> None:
    assert await end_of(BEGIN + death) == told


async def test_a_child_that_hangs_is_ended_and_that_is_its_end() -> None:
    assert await end_of(BEGIN + "import signal; signal.pause()", seconds=2) == "did not end within 2 seconds"


async def test_a_child_that_does_not_hear_either_is_killed() -> None:
    deaf = BEGIN + "import signal; signal.signal(15, signal.SIG_IGN); signal.pause()"
    told = await quarantine(deaf, seconds=2, grace=0.2).run(Stage.FORWARD, ref(), asyncio.Event())
    assert told == "did not end within 2 seconds"


async def test_a_child_that_waits_for_the_database_for_long_is_not_the_uploads_fault() -> None:
    waiting = BEGIN + f"import signal; signal.signal(15, lambda *_: os._exit({EX_TEMPFAIL})); signal.pause()"
    with pytest.raises(Unavailable):
        await end_of(waiting, seconds=2)


async def test_a_child_that_cannot_be_started_is_not_the_uploads_fault() -> None:
    nowhere = ChildQuarantine(lambda *_: ["/nowhere/python"], {}, clock=SystemClock())
    with pytest.raises(Unavailable):
        await nowhere.run(Stage.FORWARD, ref(), asyncio.Event())


@pytest.mark.parametrize("death", ["import os; os._exit(2)", "import os; os.kill(os.getpid(), 9)"])
async def test_what_dies_before_it_begins_is_not_the_uploads_fault(death: str) -> None:
    with pytest.raises(Unavailable):
        await end_of(death)


async def test_something_that_is_away_is_not_the_uploads_fault() -> None:
    with pytest.raises(Unavailable):
        await end_of(BEGIN + f"os._exit({EX_TEMPFAIL})")


async def test_stopping_ends_the_child_and_blames_nobody(tmp_path: Path) -> None:
    stopping, mark = asyncio.Event(), tmp_path / "pid"
    program = BEGIN + f"import signal; open({str(mark)!r}, 'w').write(str(os.getpid())); signal.pause()"
    running = asyncio.ensure_future(quarantine(program).run(Stage.VALIDATE, ref(), stopping))
    async with asyncio.timeout(60):
        while not mark.exists() or not mark.read_text():
            await SystemClock().wait(0.02)
        stopping.set()
        with pytest.raises(Unavailable):
            await running
    with pytest.raises(ProcessLookupError):
        os.kill(int(mark.read_text()), 0)


async def test_one_child_runs_at_a_time(tmp_path: Path) -> None:
    lock = str(tmp_path / "lock")
    program = BEGIN + f"os.mkdir({lock!r}); os.rmdir({lock!r})"
    one = quarantine(program)
    ends = await asyncio.gather(*(one.run(Stage.VALIDATE, ref(), asyncio.Event()) for _ in range(4)))
    assert ends == [None] * 4
