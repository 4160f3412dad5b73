"""Examples for the descriptions: values of the contracts' own types, so that none can lie about its shape."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from uuid import UUID

from pydantic import BaseModel

from certpipe.core.problems import INTERNAL, TARGET_NOT_FOUND, Problem
from certpipe.ingress.dead_examples import DEAD_EXAMPLES
from certpipe.ingress.envelope import missing
from certpipe.ingress.problems import (
    BODY_TOO_LARGE,
    BUSY,
    FORBIDDEN,
    IDEMPOTENCY_CONFLICT,
    IDEMPOTENCY_IN_FLIGHT,
    TIMED_OUT,
    UNAUTHORIZED,
    UNSUPPORTED_MEDIA_TYPE,
)
from certpipe.ingress.service_examples import SERVICE_EXAMPLES
from certpipe.ingress.webhook_examples import WEBHOOK_EXAMPLES
from certpipe.sat.problems import problem
from schemas.base import Kind
from schemas.directory import OrganizationBody, PartyBody, PartyKind, ProducerBody
from schemas.status import CertificateFacts, CheckReport, HistoryEntry, Stage, State, UploadStatus
from schemas.upload import SealedBundle, SealFormat, UploadMessage, UploadReply

_ORGANIZATION = UUID("0199b0c2-5a00-7000-8000-000000000001")
_PARTY = UUID("0199b0c2-5a00-7000-8000-000000000002")
_UPLOAD = UUID("0199b0c2-5a00-7000-8000-000000000003")
_AT = datetime(2026, 1, 15, 16, 20, tzinfo=UTC)

_STATUS = UploadStatus(
    id=_UPLOAD,
    organization_id=_ORGANIZATION,
    party_id=_PARTY,
    kind=Kind.CSD,
    state=State.VALIDATED,
    ended=False,
    sequence=1,
    attempt=0,
    created_at=_AT,
    updated_at=_AT + timedelta(milliseconds=9),
    certificate=CertificateFacts(number="30001000000500003416", rfc="EKU9003173C9", kind=Kind.CSD),
    history=(
        HistoryEntry(sequence=0, type="upload.received", at=_AT),
        HistoryEntry(
            sequence=1, type="upload.validated", at=_AT + timedelta(milliseconds=9), stage=Stage.VALIDATE, attempt=0
        ),
    ),
    links={"self": f"/v1/uploads/{_UPLOAD}"},
)
_REPORT = CheckReport(
    verdict="rejected",
    problems=(problem("wrong_password").view(),),
    warnings=(),
    certificate=CertificateFacts(number="30001000000500003416", rfc="EKU9003173C9", kind=Kind.CSD),
)
_MESSAGE = UploadMessage(
    upload_id=_UPLOAD,
    party_id=_PARTY,
    kind=Kind.CSD,
    sealed=SealedBundle(format=SealFormat.HPKE, kid="intake-1", ciphertext="ZW5jIHx8IGNpcGhlcnRleHQ="),
)

EXAMPLES: Mapping[type[BaseModel], BaseModel] = MappingProxyType(
    {
        UploadStatus: _STATUS,
        CheckReport: _REPORT,
        OrganizationBody: OrganizationBody(rfc="EKU9003173C9", name="Escuela Kemper Urgate"),
        PartyBody: PartyBody(
            organization_id=_ORGANIZATION, kind=PartyKind.BRANCH, rfc="EKU9003173C9", name="Sucursal Centro"
        ),
        ProducerBody: ProducerBody(may_send_clear=False),
        UploadMessage: _MESSAGE,
        UploadReply: UploadReply(accepted=True, upload_id=_UPLOAD),
        **WEBHOOK_EXAMPLES,
        **DEAD_EXAMPLES,
        **SERVICE_EXAMPLES,
    }
)
PROBLEMS: Mapping[int, Problem] = MappingProxyType(
    {
        400: missing("password"),
        401: UNAUTHORIZED,
        403: FORBIDDEN,
        404: TARGET_NOT_FOUND,
        408: TIMED_OUT,
        409: IDEMPOTENCY_IN_FLIGHT,
        413: BODY_TOO_LARGE,
        415: UNSUPPORTED_MEDIA_TYPE,
        422: IDEMPOTENCY_CONFLICT,
        500: INTERNAL,
        503: BUSY,
    }
)
