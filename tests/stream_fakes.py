"""What streams of events need, in memory: a feed, tickets, and the line to a client."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from certpipe.core.errors import Unavailable
from certpipe.core.ports.events import Told
from certpipe.ingress.listening import Frame
from schemas.events import Event, EventData, EventType
from tests.fakes import AWAY

AT = datetime(2026, 6, 1, tzinfo=UTC)


def told(
    position: int,
    organization: UUID,
    upload: UUID,
    sequence: int = 0,
    kind: str = EventType.VALIDATED,
    *,
    ended: bool = False,
) -> Told:
    data = EventData(organization_id=organization, upload_id=upload, sequence=sequence)
    event = Event(id=f"evt_{upload.hex}_{sequence}", type=kind, timestamp=AT, data=data)
    return Told(position, organization, upload, event, ended)


@dataclass
class MemoryFeed:
    """The port `Feed`. `asked` tells what was asked; `during` is called between the reading and the answer."""

    events: list[Told] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    away: bool = False
    during: Callable[[str], None] = lambda _: None

    def _read(self, question: str, events: Sequence[Told]) -> Sequence[Told]:
        """What was there when the question came; `during` happens before the answer arrives."""
        if self.away:
            raise Unavailable(AWAY)
        self.asked.append(question)
        self.during(question)
        return events

    async def last(self) -> int:
        last = max((each.position for each in self.events), default=0)
        self._read("last", ())
        return last

    async def after(self, position: int, limit: int) -> Sequence[Told]:
        return self._read("after", self._placed(position)[:limit])

    async def of_organizations(self, organization_ids: Sequence[UUID], after: int, limit: int) -> Sequence[Told]:
        theirs = [each for each in self._placed(after) if each.organization_id in organization_ids]
        return self._read("of_organizations", theirs[:limit])

    async def of_upload(self, upload_id: UUID, after: int) -> Sequence[Told]:
        its = [each for each in self.events if each.upload_id == upload_id and each.event.data.sequence > after]
        return self._read("of_upload", sorted(its, key=lambda each: each.event.data.sequence))

    def _placed(self, after: int) -> list[Told]:
        return sorted((each for each in self.events if each.position > after), key=lambda each: each.position)


@dataclass
class MemoryTickets:
    """The port `Tickets`."""

    issued: dict[bytes, tuple[str, datetime]] = field(default_factory=dict)

    async def issue(self, digest: bytes, subject: str, *, now: datetime, expires_at: datetime) -> None:
        assert now < expires_at
        self.issued[digest] = subject, expires_at

    async def take(self, digest: bytes, *, now: datetime) -> str | None:
        subject, expires_at = self.issued.pop(digest, ("", now))
        return subject if now < expires_at else None


@dataclass
class MemoryLine:
    """The port `Line`: `read` is what the client took. While it is `deaf`, everything waits."""

    read: bytes = b""
    kept: bytes = b""
    deaf: bool = False
    gone: bool = False
    closed: bool = False
    frames: list[Frame] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        return len(self.kept)

    def write(self, frame: Frame, /) -> None:
        self.frames.append(frame)
        self.kept += frame.text
        if not self.deaf:
            self.take(len(self.kept))

    def take(self, count: int) -> None:
        """Let the client take so many bytes."""
        self.read, self.kept = self.read + self.kept[:count], self.kept[count:]

    async def drained(self) -> None:
        """It takes as much as it likes."""

    def close(self) -> None:
        self.closed = True

    def cut(self) -> None:
        self.gone, self.kept = True, b""

    @property
    def ids(self) -> list[int]:
        """The numbers of the events that it got."""
        return [int(line.removeprefix("id: ")) for line in self.read.decode().splitlines() if line.startswith("id: ")]
