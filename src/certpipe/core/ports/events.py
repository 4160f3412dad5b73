"""What was written down, in the order in which it may be told."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from schemas.events import Event


@dataclass(frozen=True, slots=True)
class Told:
    """One event at its place in the feed. Places grow, with gaps, and what is committed later stands later.

    `position` is 0 for an event that has no place yet. `ended`: it is the last one of its upload, until somebody
    replays it. `reply_to` and `correlation_id`: where the producer of the upload asked to be told too.
    """

    position: int
    organization_id: UUID
    upload_id: UUID | None
    event: Event
    ended: bool = False
    reply_to: str | None = None
    correlation_id: str | None = None


class Feed(Protocol):
    """Reads events. Every method raises `Unavailable` when the database is away. Events of checks are not told."""

    async def last(self) -> int:
        """The last place that is taken; 0 when there is none."""

    async def after(self, position: int, limit: int) -> Sequence[Told]:
        """Of all organizations, in order: one query for whoever tells many."""

    async def of_organizations(self, organization_ids: Sequence[UUID], after: int, limit: int) -> Sequence[Told]:
        """Of these, in order: what one subscriber missed."""

    async def of_upload(self, upload_id: UUID, after: int) -> Sequence[Told]:
        """The events of one upload with a `sequence` above `after`, in that order, placed or not."""


@dataclass(frozen=True, slots=True)
class Placed:
    """How many events got their place, and the endpoints that have something new to be sent."""

    events: int
    endpoints: frozenset[UUID]


class Relay(Protocol):
    """From what was written down to what is told."""

    async def place(self, limit: int, now: datetime) -> Placed:
        """Give at most `limit` events their place, and write the deliveries to every endpoint that wants them.

        One durable transaction, and one query for all of them. Safe to run in several processes at once.
        """


class Cursors(Protocol):
    """How far a relay of the feed has come. One process at a time has a cursor, for as long as it renews its lease."""

    async def take(self, name: str, owner: UUID, now: datetime, until: datetime) -> int | None:
        """The position, leased until then; None while another owner's lease lasts. A new cursor begins at 0."""

    async def advance(self, name: str, owner: UUID, position: int) -> bool:
        """Go on; false when the lease was lost, and nothing was written."""
