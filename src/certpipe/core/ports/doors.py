"""What every door needs: to have an upload accepted, and to tell how it goes."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol
from uuid import UUID

from certpipe.core.uploads import Box
from schemas.base import Kind
from schemas.messages import UploadRef
from schemas.status import CertificatePage, CheckReport, State, StoredCertificate, UploadPage, UploadStatus


@dataclass(frozen=True, slots=True)
class IdempotencyClaim:
    """A client's key. Both members are keyed HMACs: the table is no oracle for guessing what was sent."""

    key_hash: bytes
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class NewUpload:
    """What a door hands to intake. `check`: a dry run, which ends after validate and is not kept.

    `rfc` is what the certificate's RFC must equal (the party's), or None when any will do. `awaited`: it is taken only
    while its party is an entry that waits for a certificate. `follower`: where its producer wants to be told of it.
    """

    id: UUID
    organization_id: UUID
    party_id: UUID | None
    kind: Kind | None
    rfc: str | None
    door: str
    submitted_by: str
    box: Box = field(repr=False)
    check: bool = False
    awaited: bool = False
    idempotency: IdempotencyClaim | None = None
    follower: "Follower | None" = None


@dataclass(frozen=True, slots=True)
class Follower:
    """A broker's queue, and what the producer calls the upload there."""

    reply_to: str
    correlation_id: str | None


@dataclass(frozen=True, slots=True)
class Accepted:
    """Committed. `replayed`: the key (or the id) was known with the same content, and this is the first upload."""

    ref: UploadRef
    replayed: bool


class IdempotencyConflictError(Exception):
    """The key was used with another content (HTTP 422)."""


class IdempotencyInFlightError(Exception):
    """The first request with this key has not finished (HTTP 409)."""


class Intake(Protocol):
    """Where a 202 is earned."""

    async def accept(self, upload: NewUpload, /) -> Accepted:
        """One durable transaction: the row, the box, the event, the idempotency key.

        Raises `Unavailable`, or one of the two idempotency errors (also when the upload's own id was used by another
        organization or content), or `Rejected` (`target_not_found`) when it had to be awaited and is not: of several
        that come at once for one waiting entry, one is taken.
        """


class Progress(NamedTuple):
    """How far an upload is. `sequence`: its epoch."""

    sequence: int
    ended: bool
    state: State


class Statuses(Protocol):
    """What may be told. Scoped by organization: another's id is as unknown as a random one."""

    async def upload(self, upload_id: UUID, organization_ids: Sequence[UUID]) -> UploadStatus | None: ...

    async def uploads(
        self,
        organization_ids: Sequence[UUID],
        *,
        party_id: UUID | None,
        state: State | None,
        cursor: UUID | None,
        limit: int,
    ) -> UploadPage:
        """Newest first by id; `cursor` is the last id of the page before."""

    async def certificate(self, certificate_id: UUID, organization_ids: Sequence[UUID]) -> StoredCertificate | None: ...

    async def active_certificate(
        self, party_id: UUID, kind: Kind, organization_ids: Sequence[UUID]
    ) -> StoredCertificate | None:
        """The one version that is neither replaced nor removed."""

    async def certificates(
        self, organization_ids: Sequence[UUID], *, party_id: UUID | None, cursor: UUID | None, limit: int
    ) -> CertificatePage: ...

    async def take_check(self, upload_id: UUID) -> CheckReport | None:
        """The report of a check that has ended, deleting the check; None while it has not."""

    async def sequences(self, upload_ids: Sequence[UUID]) -> Mapping[UUID, Progress]:
        """How far each known upload is: one query for all who wait."""


class Removals(Protocol):
    """Taking a stored certificate away."""

    async def remove(self, party_id: UUID, kind: Kind, /) -> StoredCertificate | None:
        """End the active version, in one durable transaction; None when there is none.

        What was stored of its bundle is gone for good, and an upload of it that waits to be forwarded is superseded.
        Uploads that are on their way to be stored are not stopped. Raises `Unavailable`.
        """


class Hints(Protocol):
    """A throttled hint that something moved. Polling is the truth; a hint only makes it prompt."""

    async def listen(self, heard: Callable[[], None], stopping: asyncio.Event) -> None:
        """Call `heard` at each hint until `stopping` is set; reconnects by itself."""
