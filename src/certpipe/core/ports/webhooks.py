"""Webhook endpoints and their deliveries: what the door manages, and what the notify worker sends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from certpipe.core.ports.events import Told
from certpipe.core.problems import Problem
from schemas.events import EventType
from schemas.webhooks import AttemptView, DeliveryPage, DeliveryState, DeliveryView, DisabledBecause, WebhookView

# --- secrets of endpoints: sealed by the door, opened by who signs ---


@dataclass(frozen=True, slots=True)
class SealedText:
    """What only the notify worker can open: the keys of an endpoint, or its headers."""

    kid: str
    ciphertext: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NewKeys:
    """Fresh keys. `secret` (`whsec_…`) is shown once, then forgotten; `public_key` (`whpk_…`) may be shown always."""

    secret: str = field(repr=False)
    public_key: str
    sealed: SealedText


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """What signs: 32 bytes each."""

    hmac: bytes = field(repr=False)
    ed25519: bytes = field(repr=False)


class EndpointSealer(Protocol):
    """The public half. What it seals is bound to the endpoint and to its purpose."""

    def new_keys(self, endpoint_id: UUID, /) -> NewKeys: ...

    def seal_headers(self, endpoint_id: UUID, headers: Mapping[str, str], /) -> SealedText: ...


class EndpointOpener(Protocol):
    """The private half. Raises `Rejected` for an unknown key id, or what is damaged or bound to something else."""

    def keys(self, endpoint_id: UUID, sealed: SealedText, /) -> SigningKeys: ...

    def headers(self, endpoint_id: UUID, sealed: SealedText, /) -> Mapping[str, str]: ...


class AddressGuard(Protocol):
    """Says whether webhooks may be sent to an address."""

    async def refusal(self, url: str, /) -> Problem | None:
        """Why not, in words for the owner; None when they may. Looks the name up."""


# --- what the door manages ---


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """An endpoint to be made."""

    id: UUID
    organization_id: UUID
    url: str
    types: tuple[EventType, ...] | None
    description: str
    keys: NewKeys
    header_names: tuple[str, ...]
    headers: SealedText


@dataclass(frozen=True, slots=True)
class EndpointChange:
    """What changes; None: it stays. `types` is given in a tuple of one, since None means every type."""

    url: str | None = None
    types: tuple[tuple[EventType, ...] | None] | None = None
    description: str | None = None
    headers: tuple[tuple[str, ...], SealedText] | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many deliveries are due again; `next`: the place to go on after, None when that were all."""

    count: int
    next: int | None


class AddressTakenError(Exception):
    """The organization has another endpoint at this address (HTTP 409): `other`."""

    def __init__(self, other: WebhookView) -> None:
        super().__init__(str(other.id))
        self.other = other


class Endpoints(Protocol):
    """Management. Every method raises `Unavailable`; None (or False) means that there is no such endpoint.

    Who may do what is the door's question: it asks `get` with the sender's organizations first.
    """

    async def create(self, endpoint: NewEndpoint, /, *, now: datetime) -> WebhookView:
        """Raises `AddressTakenError`, and `Rejected` (`too_many_endpoints`) above `MOST_ENDPOINTS` per organization.

        Of several that come at once for one address, one is made; likewise with `change`.
        """

    async def endpoints(self, organization_ids: Sequence[UUID]) -> Sequence[WebhookView]: ...

    async def get(self, endpoint_id: UUID, organization_ids: Sequence[UUID]) -> WebhookView | None: ...

    async def change(self, endpoint_id: UUID, change: EndpointChange, *, now: datetime) -> WebhookView | None:
        """Enabling forgets the failures, and what was pending goes on. Raises `AddressTakenError`."""

    async def remove(self, endpoint_id: UUID, *, now: datetime) -> bool:
        """At once for everybody; its log is deleted later, in slices."""

    async def rotate(
        self, endpoint_id: UUID, keys: NewKeys, *, now: datetime, previous_until: datetime
    ) -> WebhookView | None:
        """Sign with both until then. Raises `Rejected` (`rotation_in_progress`) while an older secret still signs."""

    async def revoke(self, endpoint_id: UUID, *, now: datetime) -> WebhookView | None:
        """End the overlap now."""

    async def ping(self, endpoint_id: UUID, *, now: datetime) -> str | None:
        """Write a ping down, and return the id of its event."""

    async def deliveries(
        self,
        endpoint_id: UUID,
        *,
        state: DeliveryState | None,
        event_id: str | None,
        cursor: int | None,
        limit: int,
    ) -> DeliveryPage:
        """The log, newest first."""

    async def replay(self, endpoint_id: UUID, delivery: int, *, now: datetime) -> DeliveryView | None:
        """Send one again, with a whole new schedule."""

    async def replay_failed(self, endpoint_id: UUID, *, after: int, limit: int, now: datetime) -> Replayed:
        """Send all again that failed, in the order of their places."""

    async def replay_range(
        self, endpoint_id: UUID, *, since: datetime, until: datetime, after: int, limit: int, now: datetime
    ) -> Replayed:
        """Send again what happened in that time, as far as the endpoint's filter goes, what it never got included."""


class Tickets(Protocol):
    """One-time tickets. Only their SHA-256 is kept."""

    async def issue(self, digest: bytes, subject: str, *, now: datetime, expires_at: datetime) -> None: ...

    async def take(self, digest: bytes, *, now: datetime) -> str | None:
        """The subject, once."""


# --- what the notify worker sends ---


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint as the sender needs it. `version` changes whenever anything of it does.

    `changed_at` changes only with what its owner does, and is there to be compared.
    """

    id: UUID
    version: int
    changed_at: datetime
    url: str
    sealed: SealedText
    headers: SealedText
    previous: SealedText | None
    previous_until: datetime | None
    failures: int
    failing_since: datetime | None
    paused_until: datetime | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that is ours until its lease ends. `attempt`: those before; `step`: those of this schedule."""

    endpoint_id: UUID
    version: int
    told: Told
    attempt: int
    step: int
    leased_until: datetime


@dataclass(frozen=True, slots=True)
class Attempted:
    """What became of a claimed delivery. `due_at` with state `pending`: the next attempt."""

    claimed: Claimed
    attempt: AttemptView
    state: DeliveryState
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Health:
    """How an endpoint stands after attempts. `disable`: end it, with the event `endpoint.disabled`.

    `changed_at`: as it was when they began. It is no news where its owner has changed the endpoint since.
    """

    endpoint_id: UUID
    changed_at: datetime
    failures: int
    failing_since: datetime | None
    paused_until: datetime | None
    disable: DisabledBecause | None = None


class Deliveries(Protocol):
    """The queue of the notify worker. All times are the caller's clock's. Raises `Unavailable`."""

    async def waiting(self, now: datetime) -> Sequence[UUID]:
        """The endpoints that have something due, are enabled, and are not paused."""

    async def next_due(self) -> datetime | None:
        """When the next of all that are pending at enabled endpoints is due; None when nothing is pending."""

    async def claim(self, rooms: Mapping[UUID, int], *, now: datetime, until: datetime) -> Sequence[Claimed]:
        """Of each of these endpoints at most so many that are due, oldest first, leased; in one query.

        Nothing of an endpoint that is disabled, removed or paused.
        """

    async def targets(self, endpoint_ids: Sequence[UUID]) -> Sequence[Target]:
        """Those of them that get anything: neither disabled nor removed."""

    async def settle(self, attempted: Sequence[Attempted], health: Sequence[Health], *, now: datetime) -> None:
        """Write all of it down in one durable transaction. What somebody else settled meanwhile stays as it is."""

    async def tidy(self, now: datetime) -> None:
        """Delete, in slices, what has had its time: the log after 30 days, and what belongs to removed endpoints."""
