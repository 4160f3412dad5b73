"""The data folder of `make up`: one version, one owner at a time, private."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from certpipe.development.files import write_private
from certpipe.development.processes import started
from certpipe.starting import RefusedToStart

VERSION: Final = "1"
"""Of what lies in the folder. It changes when a newer certpipe can no longer use an older folder."""

_BEFORE: Final = frozenset({"lock", "keys"})
"""What a folder without a version may hold: a start that was cut short, and what `certpipe keys init` makes."""


@contextmanager
def data_folder(folder: Path) -> Iterator[Path]:
    """The folder, made where it is missing, ours until the end of the block. Raises `RefusedToStart`."""
    folder = folder.resolve()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_version(folder)
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise RefusedToStart(
            f"{folder} cannot be used as the data folder ({(error.strerror or '').lower()}); "
            "set CERTPIPE_DATA_DIR to a folder that this user may write"
        ) from None
    try:
        _take(lock, folder)
        write_private(folder / "run.pid", json.dumps({"pid": os.getpid(), "began": started(os.getpid())}))
        yield folder
        (folder / "run.pid").unlink(missing_ok=True)
    finally:
        os.close(lock)


def _check_version(folder: Path) -> None:
    file = folder / "VERSION"
    if file.exists():
        found = file.read_text(encoding="ascii", errors="replace").strip()[:20]
        if found != VERSION:
            raise RefusedToStart(
                f"{folder} is a data folder of version {found}, and this certpipe uses version {VERSION}: "
                "run the certpipe that made it, or set CERTPIPE_DATA_DIR to another folder"
            )
        return
    if any(entry.name not in _BEFORE for entry in folder.iterdir()):
        raise RefusedToStart(
            f"{folder} holds files that are not certpipe's: set CERTPIPE_DATA_DIR to an empty folder, or to a new one"
        )
    if folder.stat().st_uid == os.geteuid():
        folder.chmod(0o700)  # `certpipe keys init` closes the folder of the keys only
    write_private(file, f"{VERSION}\n")


def _take(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise RefusedToStart(
            f"another certpipe runs with {folder}: stop it with `make down`, or set CERTPIPE_DATA_DIR to another folder"
        ) from None
