"""Examples of what is said of webhook endpoints: values of the contracts' own types. None of the keys is anybody's."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from uuid import UUID

from pydantic import BaseModel

from schemas.events import EventType
from schemas.webhooks import (
    AttemptView,
    DeliveryPage,
    DeliveryState,
    DeliveryView,
    PingView,
    ReplayBody,
    ReplayView,
    RotateBody,
    WebhookBody,
    WebhookChange,
    WebhookCreated,
    WebhookList,
    WebhookView,
)

_AT = datetime(2026, 1, 15, 16, 20, tzinfo=UTC)
_URL = "https://erp.example/certpipe"
_ORGANIZATION = UUID("0199b0c2-5a00-7000-8000-000000000001")
_UPLOAD = UUID("0199b0c2-5a00-7000-8000-000000000003")
_TYPES = (EventType.FORWARDED, EventType.REJECTED, EventType.FAILED)
_WORDS = "Certificates to the ERP"
_VIEW = WebhookView(
    id=UUID("0199b0c2-5a00-7000-8000-000000000004"),
    organization_id=_ORGANIZATION,
    url=_URL,
    types=_TYPES,
    description=_WORDS,
    headers=("X-Team",),
    public_key=f"whpk_{base64.b64encode(bytes(range(32))).decode()}",
    enabled=True,
    created_at=_AT,
    updated_at=_AT,
)
_DELIVERY = DeliveryView(
    id=41,
    event_id=f"evt_{_UPLOAD.hex}_4",
    type=EventType.FORWARDED,
    upload_id=_UPLOAD,
    state=DeliveryState.PENDING,
    created_at=_AT,
    next_attempt_at=_AT + timedelta(seconds=5),
    attempts=(AttemptView(at=_AT, status=503, milliseconds=12, excerpt="try later"),),
)

WEBHOOK_EXAMPLES: Mapping[type[BaseModel], BaseModel] = MappingProxyType(
    {
        WebhookBody: WebhookBody(
            organization_id=_ORGANIZATION, url=_URL, types=_TYPES, description=_WORDS, headers={"X-Team": "tax"}
        ),
        WebhookChange: WebhookChange(url=_URL, types=None, description=_WORDS, headers={"X-Team": "tax"}, enabled=True),
        WebhookView: _VIEW,
        WebhookList: WebhookList(items=(_VIEW,)),
        WebhookCreated: WebhookCreated(
            **_VIEW.model_dump(), secret=f"whsec_{base64.b64encode(b'this is an example and no secret').decode()}"
        ),
        RotateBody: RotateBody(overlap_hours=24),
        PingView: PingView(event_id=f"evt_{_VIEW.id.hex}_1"),
        DeliveryView: _DELIVERY,
        DeliveryPage: DeliveryPage(items=(_DELIVERY,)),
        ReplayBody: ReplayBody(since=_AT, until=_AT + timedelta(hours=1)),
        ReplayView: ReplayView(replayed=17),
    }
)
