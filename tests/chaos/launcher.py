"""`python -m tests.chaos.launcher ROLE`: a role as production starts it, or `all` as `make up` does, up to mischief.

What follows the role are the arguments of the role itself.
"""

import os
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import import_module
from typing import Final

from certpipe.process import Process, Role, Service, main
from certpipe.starting import run
from tests.chaos.crooked import crooked, shift_clock
from tests.chaos.mischief import VARIABLE, Mischief

ALL: Final = "all"
ROLES: Final = ("ingress", "validate", "encrypt", "persist", "forward", "notify", "sweeper")


class Launcher:
    """Puts mischief into the process that roles are given: once, where several share it."""

    def __init__(self, mischief: Mischief) -> None:
        self._mischief = mischief
        self._made: Process | None = None

    def role(self, name: str) -> Role:
        """The role, in a crooked process."""
        inner: Role = import_module(f"workers.{name}").role

        @asynccontextmanager
        async def role(process: Process) -> AsyncIterator[Sequence[Service]]:
            async with inner(self._crooked(process)) as services:
                yield services

        return role

    @asynccontextmanager
    async def ingress(self, process: Process, listener: socket.socket, /) -> AsyncIterator[Sequence[Service]]:
        """The doors, on a socket that listens already, in a crooked process."""
        async with import_module("workers.ingress").role(self._crooked(process), listener) as services:
            yield services

    def _crooked(self, process: Process) -> Process:
        self._made = self._made or crooked(process, self._mischief)
        return self._made


def launch(name: str, arguments: Sequence[str], mischief: Mischief) -> None:
    """Until a signal, or until the fatal point."""
    launcher = Launcher(mischief)
    if mischief.ahead:
        shift_clock(mischief.ahead)
    if name == ALL:
        from certpipe.development.up import up  # noqa: PLC0415 - one role is to start as fast as in production

        others = [launcher.role(other) for other in ROLES if other != "ingress"]
        run(ALL, up(launcher.ingress, others))
        return
    sys.argv = [sys.argv[0], *arguments]
    main(name, launcher.role(name))


if __name__ == "__main__":
    launch(sys.argv[1], sys.argv[2:], Mischief.load(os.environ.get(VARIABLE)))
