"""What polling shows: the status of an upload, a stored certificate, a problem."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from schemas.base import Contract, Kind


class State(StrEnum):
    """Where an upload is. The last four are ends."""

    RECEIVED = "received"
    VALIDATED = "validated"
    ENCRYPTED = "encrypted"
    STORED = "stored"
    FORWARDED = "forwarded"
    REJECTED = "rejected"
    FAILED = "failed"
    SUPERSEDED = "superseded"


class Stage(StrEnum):
    """The four steps between the doors and the end."""

    VALIDATE = "validate"
    ENCRYPT = "encrypt"
    PERSIST = "persist"
    FORWARD = "forward"


ToldStage = Annotated[Stage | SkipJsonSchema[str], Field(union_mode="left_to_right")]
"""A stage as it was written down: by a newer version perhaps, before this one came back."""


class Actor(StrEnum):
    """Who must act on a problem."""

    SUBMITTER = "submitter"
    OPERATOR = "operator"
    PROVIDER = "provider"


class ProblemView(Contract):
    """One fault, in two languages; `code` is stable, the messages are for people."""

    code: str
    field: str | None = None
    message_es: str
    message_en: str
    hint: str | None = None
    actor: Actor = Actor.SUBMITTER
    provider_code: str | None = None
    provider_message: str | None = None


class CertificateFacts(Contract):
    """What a certificate says of itself. A field that could not be read is null."""

    number: Annotated[str | None, Field(description="NoCertificado: 20 digits")] = None
    rfc: str | None = None
    representative_rfc: str | None = None
    legal_name: str | None = None
    branch: str | None = None
    kind: Kind | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    issuer: str | None = None
    environment: str | None = None
    sha256: str | None = None


class StoredCertificate(Contract):
    """One version of a party's certificate. No answer ever holds its key or its password."""

    id: UUID
    organization_id: UUID
    party_id: UUID
    upload_id: UUID
    version: int
    active: bool
    stored_at: datetime
    replaced_at: datetime | None = None
    removed_at: Annotated[datetime | None, Field(description="Taken away by its owner, and not by a newer one")] = None
    facts: CertificateFacts


class HistoryEntry(Contract):
    """One step of an upload; `sequence` grows by at least one per step of that upload."""

    sequence: int
    type: str
    at: datetime
    stage: ToldStage | None = None
    code: str | None = None
    attempt: int | None = None
    destination: str | None = None


class ReceiptView(Contract):
    """What a destination answered when it took the certificate."""

    destination: str
    at: datetime
    reference: str | None = None
    confirmed_by: Annotated[str, Field(description="`answer` or `lookup`")]


class UploadStatus(Contract):
    """Everything that may be told of an upload."""

    id: UUID
    organization_id: UUID
    party_id: UUID
    kind: Kind
    state: State
    ended: bool
    sequence: int
    attempt: int
    created_at: datetime
    updated_at: datetime
    next_attempt_at: datetime | None = None
    certificate_id: UUID | None = None
    certificate: CertificateFacts | None = None
    problems: tuple[ProblemView, ...] = ()
    warnings: tuple[ProblemView, ...] = ()
    receipts: tuple[ReceiptView, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    links: dict[str, str] = Field(default_factory=dict)


class UploadPage(Contract):
    """One page of uploads, newest first; `next` is the cursor of the following page."""

    items: tuple[UploadStatus, ...]
    next: str | None = None


class CertificatePage(Contract):
    """The versions of a party's certificates, newest first."""

    items: tuple[StoredCertificate, ...]
    next: str | None = None


class CheckReport(Contract):
    """The verdict on a bundle, without keeping it."""

    verdict: str
    problems: tuple[ProblemView, ...]
    warnings: tuple[ProblemView, ...]
    certificate: CertificateFacts


class ProblemDocument(Contract):
    """RFC 9457 `application/problem+json`, with our stable `code` and one entry per fault."""

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    code: str
    errors: tuple[ProblemView, ...] = ()
    extra: dict[str, Any] | None = None
