"""One answer to one request, in bounds, before the client's own limits: those are per header, and per interim answer.

A receiver that floods us with interim answers (`100 Continue`), blank lines, or answers that nobody asked for would
hold the event loop, and with it everybody else's deliveries, for as long as an attempt may take.
"""

from typing import Any, Final

from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

MOST_HEAD: Final = 64 * 1024
"""Bytes of everything before the body."""
_AT_ONCE: Final = 16 * 1024


class BoundedHandler(ResponseHandler):
    """Closes the connection when the head of an answer is too long, or when anything follows the answer."""

    _head = 0
    _answered = False

    def set_response_params(self, **parameters: Any) -> None:
        self._head, self._answered = 0, False
        super().set_response_params(**parameters)

    def data_received(self, data: bytes) -> None:
        if len(data) <= _AT_ONCE:
            self._received(data)
            return
        for start in range(0, len(data), _AT_ONCE):
            self._received(data[start : start + _AT_ONCE])

    def _received(self, data: bytes) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        if not self._answered:
            self._head += len(data)
            if self._head > MOST_HEAD:
                self._refuse()
                return
        elif data and (self._payload is None or self._payload.is_eof()):
            self._refuse()
            return
        super().data_received(data)

    def feed_data(self, data: Any, size: int = 0) -> None:
        if self._answered:
            self._refuse()
            return
        self._answered = data[0].code >= 200  # noqa: PLR2004 - below are interim answers
        super().feed_data(data, size)

    def _refuse(self) -> None:
        if self.transport is not None:
            self.transport.abort()
        self.set_exception(HttpProcessingError(code=400, message="more than one answer"))
