"""One client of an event stream, and events as such a stream has them (WHATWG HTML, 9.2), composed once for all."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple, Protocol
from uuid import UUID

from certpipe.core.ports.events import Told
from schemas.events import EventType


class Frame(NamedTuple):
    """A piece of a stream: as it is, and as a chunk of HTTP/1.1 (RFC 9112, 7.1). All clients share the bytes."""

    text: bytes
    chunk: bytes

    @classmethod
    def of(cls, text: bytes) -> "Frame":
        return cls(text, b"%x\r\n%b\r\n" % (len(text), text))


class Line(Protocol):
    """The connection to one client. Nothing of it raises."""

    @property
    def waiting(self) -> int:
        """How many bytes the client has not taken."""

    @property
    def gone(self) -> bool:
        """Whether the client hung up."""

    def write(self, frame: Frame, /) -> None:
        """Send it, or keep it until the client takes it."""

    async def drained(self) -> None:
        """Wait until the client has taken nearly all, or is gone."""

    def close(self) -> None:
        """Let the client take the rest, tell it that this was all, and hang up."""

    def cut(self) -> None:
        """Hang up at once, and forget what the client has not taken."""


class Wanted(NamedTuple):
    """What somebody listens for: of organizations (`types`: only these), or of one upload.

    Events are numbered by their place; those of an upload by their sequence.
    """

    keys: frozenset[UUID]
    types: frozenset[EventType] | None = None
    of_upload: bool = False

    def number(self, told: Told) -> int:
        return told.event.data.sequence if self.of_upload else told.position

    def has(self, told: Told) -> bool:
        return self.types is None or told.event.type in self.types


class Batch(NamedTuple):
    """Some events for those who want the same. `ended`: nothing follows, as far as one upload goes."""

    numbers: tuple[int, ...]
    frame: Frame
    ended: bool

    def follows(self, after: int) -> bool:
        """Whether the first comes next after that number, and each of the others next after the one before."""
        return self.numbers == tuple(range(after + 1, after + 1 + len(self.numbers)))


class Page:
    """Some events, in order. What several listeners want alike is composed once."""

    def __init__(self, events: Iterable[Told]) -> None:
        self._of: dict[UUID, list[Told]] = {}
        self._texts: dict[str, bytes] = {}
        self._batches: dict[Wanted, Batch] = {}
        for told in events:
            for key in (told.organization_id, told.upload_id):
                if key is not None:
                    self._of.setdefault(key, []).append(told)

    @property
    def keys(self) -> Iterable[UUID]:
        """The organizations and uploads that these are of."""
        return self._of.keys()

    def batch(self, wanted: Wanted, after: int) -> Batch:
        """Those of them that are wanted, and have a number above `after`."""
        batch = self._batches.get(wanted)
        if batch is None:
            batch = self._batches[wanted] = self._composed(wanted, self._wanted(wanted))
        if not batch.numbers or batch.numbers[0] > after:
            return batch
        return self._composed(wanted, [told for told in self._wanted(wanted) if wanted.number(told) > after])

    def _wanted(self, wanted: Wanted) -> list[Told]:
        found = chain.from_iterable(self._of.get(key, ()) for key in wanted.keys)
        return sorted(filter(wanted.has, found), key=wanted.number)

    def _composed(self, wanted: Wanted, events: Sequence[Told]) -> Batch:
        text = b"".join(b"id: %d\n%b" % (wanted.number(told), self._text(told)) for told in events)
        return Batch(tuple(map(wanted.number, events)), Frame.of(text), any(told.ended for told in events))

    def _text(self, told: Told) -> bytes:
        event = told.event
        if event.id not in self._texts:
            self._texts[event.id] = b"event: %b\ndata: %b\n\n" % (event.type.encode(), event.body())
        return self._texts[event.id]


@dataclass(eq=False, slots=True)
class Listener:
    """One client.

    Attributes:
        wanted: what it gets.
        line: to the client.
        after: the number of the last event that it has.
        place: up to here the client has everything that it wants; kept until it listens to what comes.
        over: it listens no more.
        woken: is set when that is so, for who waits for it.
        beats: how many heartbeats it has lived through.
        sent: how many bytes it was sent.
        due: how many of them before the last heartbeat.
    """

    wanted: Wanted
    line: Line
    after: int
    place: int = -1
    over: bool = False
    woken: asyncio.Event | None = None
    beats: int = 0
    sent: int = 0
    due: int = 0

    def give(self, batch: Batch) -> None:
        """Send these, which are the next that it wants."""
        if batch.numbers:
            self.after = batch.numbers[-1]
            self.send(batch.frame)

    def send(self, frame: Frame) -> None:
        """Send what has no number."""
        self.sent += len(frame.text)
        self.line.write(frame)

    def is_stuck(self) -> bool:
        """Whether it left something untaken since the last time that this was asked."""
        taken = self.sent - self.line.waiting
        stuck, self.due = taken < self.due, self.sent
        return stuck
