"""Following the stream of events for as long as one likes, through restarts of the server."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from certpipe.cli.failure import CommandError, ExitCode
from certpipe.cli.sse import Message, NoEventsError, Reader
from certpipe.core.clock import Clock

PATH = "/v1/events"
SILENCE = 45.0
"""Seconds: three of the server's heartbeats."""
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0


class Streaming(Protocol):
    """The one thing of a client that this needs."""

    def stream(
        self, path: str, params: Mapping[str, str], headers: Mapping[str, str], *, patience: float
    ) -> AsyncGenerator[bytes, None]: ...


@dataclass(slots=True)
class EventStream:
    """Reads on after the last event that was `told`. A server that was never there, or refuses, ends it.

    `params`: of the query. `ready`: is called when there is something to read, at first and after a trouble.
    `trouble`: is told why there is nothing to read for a while. A stream that ends in good order, as all do after some
    time, is no trouble.
    """

    client: Streaming
    clock: Clock
    params: Mapping[str, str]
    told: Callable[[Message], Awaitable[None]]
    ready: Callable[[], None]
    trouble: Callable[[str], None]
    _last_id: str = field(default="", init=False)
    _pause: float = field(default=FIRST_PAUSE, init=False)
    _failures: int = field(default=0, init=False)
    _was_there: bool = field(default=False, init=False)
    _is_there: bool = field(default=False, init=False)

    async def follow(self) -> NoReturn:
        """Never returns; raises `CommandError`."""
        while True:
            reason = ""
            try:
                await self._read()
            except NoEventsError as error:
                raise CommandError(
                    "what the server streams are no events.",
                    hint="look at the address: a proxy, or another server, stands there.",
                    exit_code=ExitCode.UNREACHABLE,
                ) from error
            except CommandError as error:
                if error.exit_code is not ExitCode.UNREACHABLE or not self._was_there:
                    raise
                reason = error.message
            pause = min(self._pause * 2**self._failures, LONGEST_PAUSE)
            self._failures = min(self._failures + 1, 10)
            if reason:
                self._is_there = False
                self.trouble(f"{reason} Trying again in {pause:g} seconds.")
            await self.clock.wait(pause)

    async def _read(self) -> None:
        reader = Reader(self._last_id)
        headers = {"Last-Event-ID": self._last_id} if self._last_id else {}
        async with aclosing(self.client.stream(PATH, self.params, headers, patience=SILENCE)) as chunks:
            async for chunk in chunks:
                if not self._is_there:
                    self.ready()
                self._was_there, self._is_there, self._failures = True, True, 0
                for message in reader.feed(chunk):
                    await self.told(message)
                self._last_id, self._pause = reader.last_id, reader.retry or self._pause
