"""The connection under a response that never ends by itself."""

from collections.abc import Callable
from contextlib import suppress

from aiohttp import HttpVersion11, web

from certpipe.ingress.heads import BoundedHandler
from certpipe.ingress.listening import Frame

MOST_KEPT = 32 * 1024


class HttpLine:
    """The port `Line`. What is sent goes past aiohttp to the socket, so that all clients can share its bytes.

    Make it when the response is prepared.
    """

    __slots__ = ("_chunked", "_handler")

    def __init__(self, request: web.Request) -> None:
        handler = request.protocol
        if not isinstance(handler, BoundedHandler):
            raise TypeError("served by another server than ours")
        self._handler, self._chunked = handler, request.version >= HttpVersion11
        if handler.transport is not None:
            handler.transport.set_write_buffer_limits(high=MOST_KEPT)

    @property
    def waiting(self) -> int:
        transport = self._handler.transport
        return 0 if transport is None else transport.get_write_buffer_size()

    @property
    def gone(self) -> bool:
        transport = self._handler.transport
        return transport is None or transport.is_closing()

    def write(self, frame: Frame, /) -> None:
        transport = self._handler.transport
        if transport is not None and not transport.is_closing():
            transport.write(frame.chunk if self._chunked else frame.text)

    def when_lost(self, call: Callable[[], None] | None) -> None:
        """Have that called when the client hangs up."""
        self._handler.lost = call

    async def drained(self) -> None:
        with suppress(ConnectionError):
            await self._handler.drained()

    def cut(self) -> None:
        if self._handler.transport is not None:
            self._handler.transport.abort()
