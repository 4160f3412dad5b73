"""`make down`: stop the `make up` of a data folder, and whatever servers of it still run."""

import asyncio
import fcntl
import json
import os
import signal
import sys
from pathlib import Path

from certpipe.development.postgres import EmbeddedPostgres
from certpipe.development.processes import Daemon, started
from certpipe.development.rabbitmq import PrivateRabbit
from certpipe.settings import Settings

_STOP_SECONDS = 60.0


def running(folder: Path) -> Daemon | None:
    """The process that `run.pid` names, if it is the one that holds the folder's lock; never anybody else's."""
    try:
        named = json.loads((folder / "run.pid").read_text(encoding="utf-8"))
        pid, began = int(named["pid"]), str(named["began"])
        # What its descriptors are, nobody may see: a process that may hold keys is closed to its own user.
        if started(pid) != began or not _held(folder / "lock"):
            return None
        return Daemon(pid=pid, group=os.getpgid(pid), started=began, mark="")
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _held(lock: Path) -> bool:
    """Whether a process holds the lock. Asked only where one lives that should: nobody is kept from taking it."""
    with lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


async def down(folder: Path) -> str:
    """Stop what runs; by force after a minute. Returns what was done, for people. Idempotent."""
    process = running(folder)
    said = "stopped" if process else "nothing was running"
    if process:
        process.send(signal.SIGTERM)
        if not await process.gone(_STOP_SECONDS):
            process.send(signal.SIGKILL)
            await process.gone(_STOP_SECONDS)
            said = "stopped by force"
    # After a crash the servers may have stayed behind.
    for server in (PrivateRabbit(folder / "rabbitmq"), EmbeddedPostgres(folder / "postgres")):
        if server.running:
            await server.stop()
            said = "stopped"
    return said


if __name__ == "__main__":
    sys.stdout.write(f"certpipe: {asyncio.run(down(Settings().data_dir))}\n")
