"""Webhook endpoints as they are made, changed and shown, and the log of what was delivered to them."""

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from schemas.base import Contract
from schemas.directory import NAME_PATTERN
from schemas.events import EventType, ToldType

MOST_ENDPOINTS = 50
"""Endpoints that one organization may have."""

MOST_PLACE = 10**18 - 1
"""The highest place in the feed, and so the highest number of a delivery, that may be asked for."""
# A token (RFC 9110, 5.6.2); and what is visible, with blanks inside alone.
HEADER_NAME_PATTERN = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"
HEADER_VALUE_PATTERN = r"^[\x21-\x7e]?([\x20-\x7e]*[\x21-\x7e])?$"

_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:.*", re.ASCII)


def _written(value: object) -> object:
    """A date and a time: pydantic alone would take seconds since 1970 too."""
    if not isinstance(value, datetime) and not (isinstance(value, str) and _INSTANT.fullmatch(value)):
        raise PydanticCustomError("datetime_parsing", "no date and time as RFC 3339 writes them")
    return value


def _once(types: tuple[EventType, ...]) -> tuple[EventType, ...]:
    return tuple(dict.fromkeys(types))


def _whole(value: object) -> object:
    """In JSON, 24.0 is a whole number as well as 24 is."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Instant = Annotated[AwareDatetime, BeforeValidator(_written)]
"""A time as RFC 3339 writes it, with its offset."""
After = Annotated[int, Field(ge=0, le=MOST_PLACE, strict=True), BeforeValidator(_whole)]
"""The number after which to go on."""
Address = Annotated[str, Field(min_length=1, max_length=2_048, description="https, without user and password")]
Types = Annotated[
    Annotated[tuple[EventType, ...], Field(min_length=1, max_length=len(EventType)), AfterValidator(_once)] | None,
    Field(description="Only these events; null: every one. What is named twice counts once"),
]
Description = Annotated[str, Field(max_length=300, pattern=rf"^$|{NAME_PATTERN}")]
Headers = Annotated[
    dict[
        Annotated[str, Field(min_length=1, max_length=100, pattern=HEADER_NAME_PATTERN)],
        Annotated[str, Field(max_length=2_000, pattern=HEADER_VALUE_PATTERN)],
    ],
    Field(
        max_length=20,
        description="Sent with each delivery. Values are never shown again",
        # pydantic describes the names by a pattern that others may have beside it.
        json_schema_extra={"additionalProperties": False},
    ),
]


class WebhookBody(Contract):
    """What is posted of a new endpoint."""

    organization_id: UUID
    url: Address
    types: Types = None
    description: Description = ""
    headers: Headers = Field(default_factory=dict, repr=False)


class WebhookChange(Contract):
    """What is patched of an endpoint: members that are absent stay as they are, and those that are null too.

    But `types: null` means every event. `headers` takes the place of all headers. `enabled: true` starts it anew.
    """

    url: Address | None = None
    types: Types = None
    description: Description | None = None
    headers: Annotated[Headers | None, Field(repr=False)] = None
    enabled: Annotated[bool | None, Field(strict=True)] = None


class DisabledBecause(StrEnum):
    """Why an endpoint gets nothing."""

    GONE = "gone"
    FAILING = "failing"
    OWNER = "owner"


class WebhookView(Contract):
    """An endpoint. Its secret was shown once; of its headers only the names are."""

    id: UUID
    organization_id: UUID
    url: str
    types: tuple[ToldType, ...] | None
    description: str
    headers: tuple[str, ...]
    public_key: Annotated[str, Field(description="`whpk_…`: verifies the v1a (Ed25519) signature")]
    enabled: bool
    disabled_at: datetime | None = None
    disabled_because: DisabledBecause | None = None
    failures: Annotated[int, Field(description="On end; 0 since the last delivery that was taken")] = 0
    failing_since: datetime | None = None
    paused_until: Annotated[datetime | None, Field(description="Nothing is sent before, as it failed on end")] = None
    previous_secret_until: Annotated[
        datetime | None, Field(description="Until then deliveries are signed with the secret before, too")
    ] = None
    created_at: datetime
    updated_at: datetime


class WebhookCreated(WebhookView):
    """A new endpoint, with its secret."""

    secret: Annotated[str, Field(repr=False, description="`whsec_…`: verifies the v1 (HMAC) signature. Shown once")]


class WebhookList(Contract):
    """The endpoints of the sender's organizations."""

    items: tuple[WebhookView, ...]


class RotateBody(Contract):
    """How long deliveries are signed with both secrets; 0 ends the old one at once."""

    overlap_hours: Annotated[int, Field(ge=0, le=168, strict=True), BeforeValidator(_whole)] = 24


class DeliveryState(StrEnum):
    """Where a delivery is. `failed`: the schedule is over; it can be replayed."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"


class AttemptView(Contract):
    """One attempt. `error`: why there is no status, or why it did not count, as a stable code."""

    at: datetime
    status: int | None = None
    milliseconds: int
    error: str | None = None
    excerpt: Annotated[str | None, Field(description="The first 1,024 bytes of the answer, as text")] = None


class DeliveryView(Contract):
    """One event to one endpoint."""

    id: int
    event_id: str
    type: ToldType
    upload_id: UUID | None = None
    state: DeliveryState
    created_at: datetime
    next_attempt_at: datetime | None = None
    attempts: tuple[AttemptView, ...] = ()


class DeliveryPage(Contract):
    """One page of the log, newest first."""

    items: tuple[DeliveryView, ...]
    next: int | None = None


class ReplayBody(Contract):
    """What to send again: all that failed (`failed: true`), or all events since a time, those included that the
    endpoint never got. Exactly one of the two; `until`, which goes with `since`, is now where it is left out.

    A call does at most 10,000; `after` goes on from the `next` of the call before.
    """

    failed: Annotated[bool, Field(strict=True)] = False
    since: Instant | None = None
    until: Instant | None = None
    after: After = 0


class ReplayView(Contract):
    """How many will be sent again. `next` is null when there are no more."""

    replayed: int
    next: int | None = None


class PingView(Contract):
    """The event of a ping; the log tells what came of it."""

    event_id: str


class TicketView(Contract):
    """A ticket for one stream of events: `GET …/events?ticket=…`, for clients that can send no header."""

    ticket: Annotated[str, Field(repr=False)]
    expires_at: datetime
