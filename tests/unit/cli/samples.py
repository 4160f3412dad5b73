"""Statuses as a server tells them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from schemas.base import Kind
from schemas.events import EventType
from schemas.status import CertificateFacts, HistoryEntry, ProblemView, State, UploadStatus

UPLOAD = UUID("0198f4a2-7c1e-7a54-9b0d-3f6f4c1d2e3a")
ORGANIZATION = UUID("0198f4a2-0000-7000-8000-000000000001")
PARTY = UUID("0198f4a2-0000-7000-8000-000000000002")
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
STEPS = (EventType.RECEIVED, EventType.VALIDATED, EventType.ENCRYPTED, EventType.STORED, EventType.FORWARDED)
STATES = (State.RECEIVED, State.VALIDATED, State.ENCRYPTED, State.STORED, State.FORWARDED)
WRONG_PASSWORD = ProblemView(
    code="wrong_password",
    field="password",
    message_es="La contraseña no abre la llave",
    message_en="The password does not open the key",
    hint="Es la de la llave privada",
)


def at_step(step: int, **changes: Any) -> UploadStatus:
    """The status after that many steps beyond the first, half a second each."""
    history = [
        HistoryEntry(sequence=number, type=event.value, at=START + timedelta(seconds=number / 2))
        for number, event in enumerate(STEPS[: step + 1])
    ]
    known: dict[str, Any] = {
        "id": UPLOAD,
        "organization_id": ORGANIZATION,
        "party_id": PARTY,
        "kind": Kind.FIEL,
        "state": STATES[step],
        "ended": step == len(STEPS) - 1,
        "sequence": step,
        "attempt": 0,
        "created_at": START,
        "updated_at": history[-1].at,
        "certificate": CertificateFacts(rfc="EKU9003173C9", number="30001000000500003415") if step else None,
        "history": tuple(history),
    }
    return UploadStatus(**{**known, **changes})


def rejected() -> UploadStatus:
    """A wrong password, found by validate."""
    received = at_step(0)
    end = HistoryEntry(sequence=1, type=EventType.REJECTED.value, at=START, code="wrong_password")
    return received.model_copy(
        update={
            "state": State.REJECTED,
            "ended": True,
            "problems": (WRONG_PASSWORD,),
            "history": (*received.history, end),
            "sequence": 1,
        }
    )
