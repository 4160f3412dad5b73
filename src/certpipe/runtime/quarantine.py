"""A process of its own for a suspect: it may die or hang, and nobody suffers but the upload that did it."""

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from certpipe.core.clock import Clock
from certpipe.core.errors import Unavailable
from certpipe.core.patience import MOST_ATTEMPT
from certpipe.core.problems import INTERNAL
from certpipe.runtime.alone import BEGUN, EX_TEMPFAIL
from schemas.messages import UploadRef
from schemas.status import Stage

SECONDS: Final = MOST_ATTEMPT
"""For one upload: what any attempt at the slowest destination may take, and many times what the other stages do."""
GRACE: Final = 30.0
"""Seconds to end in after that, once asked to: one that only waits for the database gives up, and says so."""


class ChildQuarantine:
    """Runs one child at a time.

    Attributes:
        command: the program that does this stage's work on this upload alone. It says `begun` on standard output when
            everything is open; what happens before is not the upload's fault.
        environment: of the child.
    """

    def __init__(
        self,
        command: Callable[[Stage, UploadRef], Sequence[str]],
        environment: Mapping[str, str],
        *,
        clock: Clock,
        seconds: float = SECONDS,
        grace: float = GRACE,
    ) -> None:
        self._command, self._environment = command, dict(environment)
        self._clock, self._seconds, self._grace = clock, seconds, grace
        self._one = asyncio.Lock()

    async def run(self, stage: Stage, ref: UploadRef, stopping: asyncio.Event) -> str | None:
        async with self._one:
            if stopping.is_set():
                raise Unavailable(INTERNAL)
            child = await self._born(stage, ref)
            said = asyncio.ensure_future(child.communicate())
            try:
                over = await self._over(said, self._seconds, stopping)
                if not over and not stopping.is_set():
                    with suppress(ProcessLookupError):
                        child.terminate()
                    await self._over(said, self._grace, stopping)
            finally:
                with suppress(ProcessLookupError):
                    if child.returncode is None:
                        child.kill()
                output, _ = await said
        begun = output.startswith(BEGUN.encode())
        if stopping.is_set() and child.returncode:
            raise Unavailable(INTERNAL)
        return self._judged(child.returncode or 0, begun=begun, over=over)

    async def _born(self, stage: Stage, ref: UploadRef) -> asyncio.subprocess.Process:
        """Raises `Unavailable` where there is no room for another process at present."""
        try:
            return await asyncio.create_subprocess_exec(
                *self._command(stage, ref),
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
            )
        except OSError:
            raise Unavailable(INTERNAL) from None

    async def _over(self, said: "asyncio.Future[tuple[bytes, bytes]]", seconds: float, stopping: asyncio.Event) -> bool:
        """Whether it came to an end in time; false as well when it is time to stop."""
        watched = asyncio.Event()
        said.add_done_callback(lambda _: watched.set())
        stop = asyncio.ensure_future(stopping.wait())
        stop.add_done_callback(lambda _: watched.set())
        try:
            await self._clock.wait(seconds, until=watched)
        finally:
            stop.cancel()
        return said.done()

    def _judged(self, code: int, *, begun: bool, over: bool) -> str | None:
        if not begun or code == EX_TEMPFAIL:
            raise Unavailable(INTERNAL)
        if code == 0:
            return None
        if not over:
            return f"did not end within {self._seconds:.0f} seconds"
        return f"was killed by {_name(-code)}" if code < 0 else f"ended with exit code {code}"


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
