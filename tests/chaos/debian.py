"""RabbitMQ 4, from a tree of Debian 13 in the cache folder: made once, and used again."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.chaos.material import CACHE

RELEASE: Final = "trixie"


def tree() -> Path:
    """The tree with `rabbitmq-server` in it.

    Raises:
        RuntimeError: it is not there, and cannot be made here; the text says why.
    """
    there = (CACHE / RELEASE).resolve()
    if (there / "usr/lib/rabbitmq/bin/rabbitmq-server").exists():
        return there
    if os.geteuid() or shutil.which("debootstrap") is None:
        raise RuntimeError("RabbitMQ 4 is taken from Debian 13, for which root and debootstrap are needed")
    CACHE.mkdir(parents=True, exist_ok=True)
    new = CACHE / f"{RELEASE}.new"
    shutil.rmtree(new, ignore_errors=True)
    command = ["debootstrap", "--variant=minbase", "--include=rabbitmq-server", RELEASE, str(new)]
    done = subprocess.run(command, env={**os.environ, "RUNLEVEL": "1"}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"debootstrap failed: {done.stdout[-500:]}{done.stderr[-500:]}")
    new.rename(there)
    return there
