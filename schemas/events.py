"""What is written down about an upload: the thin events that history, and later subscribers, are made of."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from schemas.base import Contract
from schemas.status import Stage


class EventType(StrEnum):
    """The closed set of events of an upload."""

    RECEIVED = "upload.received"
    VALIDATED = "upload.validated"
    ENCRYPTED = "upload.encrypted"
    STORED = "certificate.stored"
    FORWARDED = "certificate.forwarded"
    REMOVED = "certificate.removed"
    RETRIED = "upload.retried"
    REJECTED = "upload.rejected"
    FAILED = "upload.failed"
    SUPERSEDED = "upload.superseded"


class UploadEvent(Contract):
    """One step of one upload; (`upload_id`, `sequence`) is unique. Never a secret."""

    upload_id: UUID
    organization_id: UUID
    sequence: int
    type: EventType
    at: datetime
    stage: Stage | None = None
    code: str | None = None
    attempt: int | None = None
