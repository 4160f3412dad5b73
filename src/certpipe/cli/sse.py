"""Reads server-sent events, by the HTML Living Standard, section 9.2.6."""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

MOST_WAITING = 1024 * 1024
_END_OF_LINE = re.compile(r"\r\n|\n|\r")


class NoEventsError(ValueError):
    """What comes is no stream of events: it does not end its lines."""


@dataclass(frozen=True, slots=True)
class Message:
    """One event. `id`: the last that the server gave, with this event or before it."""

    type: str
    data: str
    id: str


class Reader:
    """Feed it the bytes as they come, cut anywhere; it gives each event when its empty line is there.

    `last_id`: what to send as `Last-Event-ID`; `retry`: the seconds after which the server wants to be asked again.
    """

    def __init__(self, last_id: str = "") -> None:
        self.last_id = last_id
        self.retry: float | None = None
        self._decode = codecs.getincrementaldecoder("utf-8-sig")("replace").decode
        self._rest, self._after_cr = "", False
        self._type, self._data, self._id = "", list[str](), last_id

    def feed(self, chunk: bytes) -> Iterator[Message]:
        """The events that this chunk completes. Raises `NoEventsError`."""
        text = self._decode(chunk)
        if self._after_cr and text:
            text = text.removeprefix("\n")  # the second half of an end of line that was cut in two
        self._after_cr = text.endswith("\r") or (self._after_cr and not text)
        *lines, self._rest = _END_OF_LINE.split(self._rest + text)
        for line in lines:
            yield from self._line(line)
        if len(self._rest) + sum(map(len, self._data)) > MOST_WAITING:
            raise NoEventsError

    def _line(self, line: str) -> Iterator[Message]:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not line:
            self.last_id = self._id
            if self._data:
                yield Message(self._type or "message", "\n".join(self._data), self._id)
            self._type, self._data = "", []
        elif name == "data":
            self._data.append(value)
        elif name == "event":
            self._type = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry = int(value[:9]) / 1000
