"""Processes that are found again."""

import os
import signal
from pathlib import Path

import pytest

from certpipe.development.processes import Daemon, kill_all, spawn, started, working_in

ENVIRONMENT = {"PATH": os.environ["PATH"]}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def test_a_daemon_is_known_by_what_was_written_down(log: Path, tmp_path: Path) -> None:
    daemon = spawn(["sleep", "600"], env=ENVIRONMENT, log=log)
    (tmp_path / "daemon.json").write_text(daemon.dump())
    found = Daemon.load(tmp_path / "daemon.json")
    assert found == daemon
    assert found.alive
    found.kill()
    assert not daemon.alive


def test_a_number_that_another_process_has_by_now_is_not_taken_for_ours() -> None:
    other = Daemon(pid=os.getpid(), group=os.getpgrp(), started="1", mark="none")
    assert not other.alive
    other.send(signal.SIGKILL)
    other.kill()
    assert started(os.getpid())


def test_kill_ends_also_what_the_process_started_when_it_is_itself_gone(log: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    daemon = spawn(["sh", "-c", f"sleep 600 & echo $! >{fifo}; wait"], env=ENVIRONMENT, log=log)
    child = int(fifo.read_text())
    kill_all([daemon.pid])
    assert started(child)
    daemon.kill()
    assert not started(child)


async def test_waiting_for_the_end_of_a_process_tells_whether_it_came(log: Path) -> None:
    daemon = spawn(["sleep", "600"], env=ENVIRONMENT, log=log)
    assert not await daemon.gone(0.04)
    daemon.send(signal.SIGTERM)
    assert await daemon.gone(30)


def test_a_damaged_or_missing_record_is_none(tmp_path: Path) -> None:
    (tmp_path / "damaged").write_text('{"pid": 1}')
    assert Daemon.load(tmp_path / "damaged") is None
    assert Daemon.load(tmp_path / "missing") is None


def test_processes_are_found_by_their_working_folder(log: Path, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    daemon = spawn(["sh", "-c", f"cd {tmp_path}; echo >{fifo}; exec sleep 600"], env=ENVIRONMENT, log=log)
    assert fifo.read_text()
    assert working_in(tmp_path) == [daemon.pid]
    kill_all(working_in(tmp_path))
    assert not daemon.alive
