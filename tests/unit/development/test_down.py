"""`make down` stops what is ours, and nothing else."""

import fcntl
import json
import os
from pathlib import Path

from certpipe.development.down import down, running
from certpipe.development.processes import Daemon, spawn, started

_HOLD = "import ctypes, fcntl, signal, sys; f = open(sys.argv[1], 'a'); fcntl.flock(f, fcntl.LOCK_EX); "
_HOLD += "ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); open(sys.argv[2], 'w').write('ready'); signal.pause()"


def _name(folder: Path, pid: int, began: str | None) -> None:
    (folder / "run.pid").write_text(json.dumps({"pid": pid, "began": began}))


def _hold(folder: Path) -> Daemon:
    """A process that holds the lock and, as ours do, shows its descriptors to nobody but root."""
    fifo = folder / "fifo"
    os.mkfifo(fifo)
    process = spawn(
        ["python3", "-c", _HOLD, str(folder / "lock"), str(fifo)], env=os.environ, log=folder / "log", owner=os.getpid()
    )
    assert fifo.read_text() == "ready"
    return process


def test_a_process_that_does_not_hold_the_lock_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    _name(tmp_path, os.getpid(), started(os.getpid()))
    assert running(tmp_path) is None


def test_the_process_that_holds_the_lock_is(tmp_path: Path) -> None:
    _name(tmp_path, os.getpid(), started(os.getpid()))
    with (tmp_path / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = running(tmp_path)
    assert found is not None
    assert found.pid == os.getpid()


def test_a_process_that_got_the_number_of_a_dead_one_is_not_ours(tmp_path: Path) -> None:
    _name(tmp_path, os.getpid(), "1")
    with (tmp_path / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert running(tmp_path) is None


async def test_where_nothing_runs_nothing_is_done(tmp_path: Path) -> None:
    (tmp_path / "run.pid").write_text("damaged")
    assert await down(tmp_path) == "nothing was running"
    assert await down(tmp_path / "missing") == "nothing was running"


async def test_what_runs_is_stopped_also_by_a_user_who_may_not_look_into_it(tmp_path: Path) -> None:
    process = _hold(tmp_path)
    _name(tmp_path, process.pid, process.started)
    try:
        assert await down(tmp_path) == "stopped"
        assert not process.alive
    finally:
        process.kill()
