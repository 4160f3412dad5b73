"""Heads of requests, as long as the longest token that still deserves an answer of its own, and no longer in all."""

import asyncio
from typing import Any

from aiohttp import StreamReader, web

MOST_HEAD_BYTES = 1_280 * 1024
# A long field is copied at each piece that comes of it: many tiny pieces would make that expensive.
MOST_PIECES = 2_000


class BoundedHandler(web.RequestHandler):
    """aiohttp bounds each field of a head and their number; this bounds all of it together, whatever one field takes.

    So one field may be as long as a head, and memory stays where it was. Who sends more is cut off.
    """

    __slots__ = ("_bytes", "_payload", "_pieces")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, max_field_size=MOST_HEAD_BYTES, **options)
        self._bytes = self._pieces = 0
        self._payload: StreamReader | None = None

    def hand_over(self) -> asyncio.Transport:
        """Give the connection away. To aiohttp it is as if the client had hung up: it sends nothing more, and forgets.

        Raises `ConnectionError` when the client really has hung up.
        """
        transport, self.transport = self.transport, None  # what it still has, it would close
        self.connection_lost(None)
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the client hung up")
        return transport

    def data_received(self, data: bytes) -> None:
        """What comes belongs to a head, unless the body of the request before it is not at its end."""
        in_body = self._payload is not None and not self._payload.is_eof()
        known = self._request_count
        super().data_received(data)
        if self._request_count > known:
            self._bytes = self._pieces = 0
            self._payload = self._messages[-1][1]
        elif data and not in_body:  # aiohttp itself calls this with nothing, to go on with what it kept
            self._bytes, self._pieces = self._bytes + len(data), self._pieces + 1
            if self._bytes > MOST_HEAD_BYTES or self._pieces > MOST_PIECES:
                self.force_close()
