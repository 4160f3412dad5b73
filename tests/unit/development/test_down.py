"""`make down` stops what is ours, and nothing else."""

import fcntl
import json
import os
from pathlib import Path

from certpipe.development.down import down, running
from certpipe.development.processes import spawn

_HOLD = 'import sys; f = open(sys.argv[1], "a"); open(sys.argv[2], "w").write("ready"); '
_HOLD += "import signal; signal.pause()"


def test_a_process_that_does_not_hold_the_lock_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    (tmp_path / "run.pid").write_text(json.dumps({"pid": os.getpid()}))
    assert running(tmp_path) is None


def test_the_process_that_holds_the_lock_is(tmp_path: Path) -> None:
    (tmp_path / "run.pid").write_text(json.dumps({"pid": os.getpid()}))
    with (tmp_path / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = running(tmp_path)
    assert found is not None
    assert found.pid == os.getpid()


async def test_where_nothing_runs_nothing_is_done(tmp_path: Path) -> None:
    (tmp_path / "run.pid").write_text("damaged")
    assert await down(tmp_path) == "nothing was running"
    assert await down(tmp_path / "missing") == "nothing was running"


async def test_what_runs_is_stopped(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    command = ["python3", "-c", _HOLD, str(tmp_path / "lock"), str(fifo)]
    process = spawn(command, env=os.environ, log=tmp_path / "log")
    assert fifo.read_text() == "ready"
    (tmp_path / "run.pid").write_text(json.dumps({"pid": process.pid}))
    try:
        assert await down(tmp_path) == "stopped"
        assert not process.alive
    finally:
        process.kill()
