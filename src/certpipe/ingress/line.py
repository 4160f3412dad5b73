"""The connection to one who listens, taken away from aiohttp: request, handler and task of it cost nothing any more."""

import asyncio
from collections.abc import Callable
from typing import Self

from aiohttp import HttpVersion11, web

from certpipe.ingress.heads import BoundedHandler
from certpipe.ingress.listening import Frame

MOST_KEPT = 32 * 1024
_LAST_CHUNK = b"0\r\n\r\n"


class HttpLine(asyncio.Protocol):
    """The port `Line`. What is sent goes to the socket as it is, so that all clients share its bytes.

    Attributes:
        lost: is called when the client hangs up, or was hung up on.
    """

    __slots__ = ("_chunked", "_drained", "_transport", "lost")

    def __init__(self, transport: asyncio.Transport, *, chunked: bool) -> None:
        self._transport, self._chunked = transport, chunked
        self._drained: asyncio.Event | None = None
        self.lost: Callable[[], object] = lambda: None

    @classmethod
    def taken_from(cls, request: web.Request) -> Self:
        """The connection of a request whose response is prepared, to be closed at its end.

        Raises `ConnectionError` when the client hung up.
        """
        handler = request.protocol
        if not isinstance(handler, BoundedHandler):
            raise TypeError("served by another server than ours")
        line = cls(handler.hand_over(), chunked=request.version >= HttpVersion11)
        line._transport.set_protocol(line)
        line._transport.set_write_buffer_limits(high=MOST_KEPT)
        line._transport.resume_reading()
        return line

    @property
    def waiting(self) -> int:
        return self._transport.get_write_buffer_size()

    @property
    def gone(self) -> bool:
        return self._transport.is_closing()

    def write(self, frame: Frame, /) -> None:
        if not self.gone:
            self._transport.write(frame.chunk if self._chunked else frame.text)

    async def drained(self) -> None:
        if self._drained is not None:
            await self._drained.wait()

    def close(self) -> None:
        if self._chunked and not self.gone:
            self._transport.write(_LAST_CHUNK)
        self._transport.close()

    def cut(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """There is nothing more to ask on this connection, which says so in its head."""

    def pause_writing(self) -> None:
        """The client takes less than it is sent."""
        self._drained = asyncio.Event()

    def resume_writing(self) -> None:
        """It has taken it."""
        if self._drained is not None:
            self._drained.set()
            self._drained = None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """The client hung up, or was hung up on."""
        self.resume_writing()
        self.lost()
