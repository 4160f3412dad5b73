"""Outcomes as the door hands them to a dialect."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

from certpipe.core.ports.dialect import (
    Arrived,
    Denial,
    Denied,
    Faulty,
    Outcome,
    Removed,
    Request,
    Shown,
    StillGoing,
)
from certpipe.core.problems import INTERNAL, Problem
from certpipe.ingress import problems as door
from certpipe.sat.problems import CATALOGUE
from schemas.base import Kind
from schemas.status import CertificateFacts, State, StoredCertificate, UploadStatus

AT = datetime(2026, 11, 30, 12, 0, 0, 987_654, tzinfo=timezone(timedelta(hours=-6)))
STORED_AT = datetime(2026, 11, 30, 17, 59, 58, 7_000, tzinfo=UTC)
PARTY = UUID("0190a5d2-0000-7000-8000-000000000001")
UPLOAD = UUID("0190a5d2-0000-7000-8000-000000000002")
CERTIFICATE = UUID("0190a5d2-0000-7000-8000-000000000003")
OWNER = UUID("0190a5d2-0000-7000-8000-000000000004")

FACTS = CertificateFacts(
    number="30001000000500003416",
    rfc="EKU9003173C9",
    kind=Kind.CSD,
    valid_from=datetime(2023, 5, 18, 11, 43, 51, tzinfo=UTC),
    valid_to=datetime(2027, 5, 18, 11, 43, 51, tzinfo=UTC),
)
CERTIFICATE_STORED = StoredCertificate(
    id=CERTIFICATE,
    organization_id=OWNER,
    party_id=PARTY,
    upload_id=UPLOAD,
    version=1,
    active=True,
    stored_at=STORED_AT,
    facts=FACTS,
)
STATUS = UploadStatus(
    id=UPLOAD,
    organization_id=OWNER,
    party_id=PARTY,
    kind=Kind.CSD,
    state=State.STORED,
    ended=False,
    sequence=4,
    attempt=1,
    created_at=AT,
    updated_at=AT,
    certificate_id=CERTIFICATE,
    certificate=FACTS,
)
ARRIVED = Arrived(STATUS, CERTIFICATE_STORED)
GOING = StillGoing(UPLOAD, f"/v1/uploads/{UPLOAD}", 2)
SHOWN, REMOVED = Shown(CERTIFICATE_STORED), Removed(CERTIFICATE_STORED)
SUPERSEDED = Problem("superseded", "Otro certificado tomó su lugar", "Another certificate took its place", status=409)

OF_THE_DOOR = tuple(value for value in vars(door).values() if isinstance(value, Problem))
EVERY_PROBLEM = (*CATALOGUE.values(), *OF_THE_DOOR, SUPERSEDED)
"""The two catalogues, and what an upload that was overtaken comes with."""

OF_A_DENIAL = {
    Denial.UNAUTHENTICATED: door.UNAUTHORIZED,
    Denial.FORBIDDEN: door.FORBIDDEN,
    Denial.NOT_FOUND: CATALOGUE["target_not_found"],
    Denial.NOTHING_STORED: door.NOT_FOUND,
    Denial.IN_FLIGHT: door.IDEMPOTENCY_IN_FLIGHT,
    Denial.KEY_REUSED: door.IDEMPOTENCY_CONFLICT,
    Denial.BUSY: door.BUSY,
    Denial.INTERNAL: INTERNAL,
}


def denied(denial: Denial, **headers: str) -> Denied:
    return Denied(denial, (OF_A_DENIAL[denial],), headers)


def everything() -> list[Outcome]:
    """Every outcome that there is, with every problem that there is."""
    plain: list[Outcome] = [ARRIVED, Arrived(STATUS, None), GOING, SHOWN, REMOVED]
    return [*plain, *map(denied, Denial), *(Faulty((problem,)) for problem in EVERY_PROBLEM), Faulty(EVERY_PROBLEM)]


def request(method: str, path: str) -> Request:
    return Request("request-1", AT, method, path)
