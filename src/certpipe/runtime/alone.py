"""What runs in a process of its own for one upload: the stage's work on it, and nothing else."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from certpipe.core.ports.runtime import Dispatcher
from certpipe.runtime.work import Work
from schemas.messages import UploadRef
from schemas.status import Stage

In = TypeVar("In")
Out = TypeVar("Out")

BEGUN: Final = "begun"
"""What it says when everything is open: whatever happens from here on is the upload's doing."""
EX_TEMPFAIL: Final = 75
"""Its exit code when something that it needs is away."""


@dataclass(frozen=True, slots=True)
class Alone(Generic[In, Out]):
    """A service that does the work on one upload, and then is over. Raises `Unavailable`."""

    work: Work[In, Out]
    ref: UploadRef

    async def run(self, stopping: asyncio.Event) -> None:
        """Say so, and work. Where nobody listens, the process that waited has died, and another one will see to it."""
        try:
            os.write(sys.stdout.fileno(), f"{BEGUN}\n".encode())
        except BrokenPipeError:
            stopping.set()
            return
        await self.work.do([self.ref], stopping)
        stopping.set()


class LeftToTheSweeper(Dispatcher):
    """Publishes nothing: what now waits for the next stage is due in a moment anyway."""

    def dispatch(self, stage: Stage, refs: Sequence[UploadRef]) -> Awaitable[None]:  # noqa: ARG002 - the port's
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        done.set_result(None)
        return done
