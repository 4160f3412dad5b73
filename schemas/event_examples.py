"""One example of each event: for the documents, and for trying a receiver out. One upload's story, but for its ends."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

from schemas.base import Kind
from schemas.events import CertificateSummary, Event, EventData, EventType
from schemas.status import Actor, ProblemView, Stage

_UPLOAD = UUID("0199b0c2-5a00-7000-8000-000000000003")
_CERTIFICATE = UUID("0199b0c2-5a00-7000-8000-000000000004")
_ENDPOINT = UUID("0199b0c2-5a00-7000-8000-000000000006")
_AT = datetime(2026, 1, 15, 16, 20, tzinfo=UTC)

_COMMON = {"organization_id": UUID("0199b0c2-5a00-7000-8000-000000000001")}
_OF_UPLOAD = {"upload_id": _UPLOAD, "party_id": UUID("0199b0c2-5a00-7000-8000-000000000002"), "kind": Kind.CSD}
_OF_ENDPOINT = {"endpoint_id": _ENDPOINT}

_WRONG_PASSWORD = ProblemView(
    code="wrong_password",
    field="password",
    message_es="La contraseña de la llave privada es incorrecta",
    message_en="The password of the private key is wrong",
)
_AWAY = ProblemView(
    code="pac_unavailable",
    message_es="El PAC no está disponible; se intentará de nuevo",
    message_en="The PAC is not available; it will be tried again",
    actor=Actor.PROVIDER,
)
_REFUSED = ProblemView(
    code="pac_rejected",
    message_es="El PAC rechazó el certificado",
    message_en="The PAC refused the certificate",
    provider_code="CACFDI33",
    provider_message="Problemas con los campos.",
)
_NEW = CertificateSummary(
    id=_CERTIFICATE,
    number="30001000000500003416",
    rfc="EKU9003173C9",
    kind=Kind.CSD,
    valid_from=datetime(2023, 5, 18, 11, 43, 51, tzinfo=UTC),
    valid_to=datetime(2027, 5, 18, 11, 43, 51, tzinfo=UTC),
)
_PROVED = _NEW.model_copy(update={"id": None})
_OLD = _NEW.model_copy(update={"id": UUID("0199b0c2-5a00-7000-8000-000000000005"), "number": "30001000000400002434"})
_SW = {"certificate": _NEW, "destination": "sw-vault"}
_TOLD_AWAY = {"code": "pac_unavailable", "problems": (_AWAY,)}

# The sequence in the life of the upload (or of the endpoint), and what the type carries.
_CARRIED: Mapping[EventType, tuple[int, Mapping[str, Any]]] = MappingProxyType(
    {
        EventType.RECEIVED: (0, {}),
        EventType.VALIDATED: (1, {"certificate": _PROVED}),
        EventType.ENCRYPTED: (2, {"certificate": _NEW}),
        EventType.RETRIED: (5, {"stage": Stage.FORWARD, "attempt": 1, **_TOLD_AWAY}),
        EventType.REJECTED: (
            1,
            {
                "stage": Stage.VALIDATE,
                "code": "wrong_password",
                "problems": (_WRONG_PASSWORD,),
                "certificate": _PROVED,
            },
        ),
        EventType.FAILED: (5, {"stage": Stage.FORWARD, "attempt": 40, **_TOLD_AWAY}),
        EventType.REPLAYED: (6, {"stage": Stage.FORWARD}),
        EventType.SUPERSEDED: (3, {"certificate": _NEW}),
        EventType.STORED: (4, {"certificate": _NEW}),
        EventType.REPLACED: (3, {"certificate": _OLD, "replaced_by": _CERTIFICATE}),
        EventType.FORWARDED: (9, {"certificate": _NEW}),
        EventType.REMOVED: (10, {"certificate": _NEW}),
        EventType.DESTINATION_FORWARDED: (8, _SW),
        EventType.DESTINATION_REJECTED: (5, {**_SW, "code": "pac_rejected", "problems": (_REFUSED,)}),
        EventType.DESTINATION_UNAVAILABLE: (6, {**_SW, **_TOLD_AWAY}),
        EventType.DESTINATION_RECOVERED: (7, _SW),
        EventType.ENDPOINT_DISABLED: (3, {"code": "failing"}),
        EventType.ENDPOINT_PING: (1, {}),
    }
)


def example(type_: EventType) -> Event:
    """An event of this type with every member that the catalogue promises, always the same."""
    sequence, carried = _CARRIED[type_]
    of_endpoint = type_.startswith("endpoint.")
    data = EventData(sequence=sequence, **_COMMON, **(_OF_ENDPOINT if of_endpoint else _OF_UPLOAD), **carried)
    return Event(
        id=f"evt_{(_ENDPOINT if of_endpoint else _UPLOAD).hex}_{sequence}",
        type=type_,
        timestamp=_AT + timedelta(milliseconds=9 * sequence),
        data=data,
    )
