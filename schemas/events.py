"""The one catalogue of events: what history, webhooks, SSE and AMQP subscribers are told. Thin, and never a secret."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from schemas.base import Contract, Kind
from schemas.status import ProblemView, ToldStage


class EventType(StrEnum):
    """The closed set of events."""

    RECEIVED = "upload.received"
    VALIDATED = "upload.validated"
    ENCRYPTED = "upload.encrypted"
    RETRIED = "upload.retried"
    REJECTED = "upload.rejected"
    FAILED = "upload.failed"
    REPLAYED = "upload.replayed"
    SUPERSEDED = "upload.superseded"
    STORED = "certificate.stored"
    REPLACED = "certificate.replaced"
    FORWARDED = "certificate.forwarded"
    REMOVED = "certificate.removed"
    DESTINATION_FORWARDED = "destination.forwarded"
    DESTINATION_REJECTED = "destination.rejected"
    DESTINATION_UNAVAILABLE = "destination.unavailable"
    DESTINATION_RECOVERED = "destination.recovered"
    ENDPOINT_DISABLED = "endpoint.disabled"
    ENDPOINT_PING = "endpoint.ping"


@dataclass(frozen=True, slots=True)
class Described:
    """One type, for its readers: when it comes, and which members of `data` it has besides those that all have."""

    when: str
    carries: tuple[str, ...] = ()


CATALOGUE: Mapping[EventType, Described] = MappingProxyType(
    {
        EventType.RECEIVED: Described("An upload was accepted: the 202 is committed."),
        EventType.VALIDATED: Described("The bundle is proved good.", ("certificate",)),
        EventType.ENCRYPTED: Described("Each part of it is wrapped under a key of its own.", ("certificate",)),
        EventType.RETRIED: Described(
            "A stage could not be done now; it is tried again by itself.", ("stage", "code", "attempt", "problems")
        ),
        EventType.REJECTED: Described(
            "An end: the bundle, or the PAC, says no. The submitter must act.",
            ("stage", "code", "problems", "certificate"),
        ),
        EventType.FAILED: Described(
            "An end: every retry is used up, or none could help. The operator acts.",
            ("stage", "code", "attempt", "problems"),
        ),
        EventType.REPLAYED: Described("An operator lets an upload that had failed go on, from this stage.", ("stage",)),
        EventType.SUPERSEDED: Described("An end: a newer upload for the same party won.", ("certificate",)),
        EventType.STORED: Described("A new version is the party's active certificate.", ("certificate",)),
        EventType.REPLACED: Described(
            "`certificate` is no longer the active one; `replaced_by`, of this upload, is.",
            ("certificate", "replaced_by"),
        ),
        EventType.FORWARDED: Described("An end: every destination has the certificate.", ("certificate",)),
        EventType.REMOVED: Described("The owner took the certificate away.", ("certificate",)),
        EventType.DESTINATION_FORWARDED: Described(
            "One destination has confirmed the certificate.", ("certificate", "destination")
        ),
        EventType.DESTINATION_REJECTED: Described(
            "One destination refused the certificate.", ("certificate", "destination", "code", "problems")
        ),
        EventType.DESTINATION_UNAVAILABLE: Described(
            "A destination takes nothing now, and an upload of yours waits for it. Told once, until it recovers.",
            ("certificate", "destination", "code", "problems"),
        ),
        EventType.DESTINATION_RECOVERED: Described(
            "A destination that was unavailable has answered an upload of yours.", ("certificate", "destination")
        ),
        EventType.ENDPOINT_DISABLED: Described(
            "A webhook endpoint gets nothing more until it is enabled again: it answered 410 (`gone`), or failed for "
            "five days (`failing`).",
            ("endpoint_id", "code"),
        ),
        EventType.ENDPOINT_PING: Described("A test, by your own request, to one endpoint.", ("endpoint_id",)),
    }
)

ToldType = Annotated[EventType | SkipJsonSchema[str], Field(union_mode="left_to_right")]
"""A type as it was written down: by a newer version perhaps, before this one came back. Its readers know more of it."""

_OPEN = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)
"""Members may be added to events: readers are to ignore those that they do not know."""


class CertificateSummary(Contract):
    """Which certificate an event is about. A field that could not be read, or is not known yet, is null."""

    model_config = _OPEN

    id: UUID | None = None
    number: Annotated[str | None, Field(description="NoCertificado: 20 digits")] = None
    rfc: str | None = None
    kind: Kind | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None


class EventData(Contract):
    """What happened. (`upload_id`, `sequence`) is unique, and `sequence` grows with each event of an upload."""

    model_config = _OPEN

    organization_id: UUID
    upload_id: UUID | None = None
    sequence: int
    party_id: UUID | None = None
    kind: Annotated[Kind | None, Field(description="What the upload was submitted as")] = None
    certificate: CertificateSummary | None = None
    replaced_by: UUID | None = None
    stage: ToldStage | None = None
    code: str | None = None
    attempt: int | None = None
    problems: tuple[ProblemView, ...] = ()
    destination: str | None = None
    endpoint_id: UUID | None = None


class Event(Contract):
    """One event, the same to the byte by every way and at every attempt. Whoever saw its `id` may skip it."""

    model_config = _OPEN

    id: Annotated[str, Field(pattern=r"^evt_[0-9a-f]{32}_[0-9]+$")]
    type: ToldType
    timestamp: datetime
    data: EventData

    def body(self) -> bytes:
        """The JSON that every subscriber gets: UTF-8, without the members that are null."""
        return self.model_dump_json(exclude_none=True).encode()
