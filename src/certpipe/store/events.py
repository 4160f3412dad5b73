"""An event, written from its rows. From the same rows always the same, so that no attempt and no way tells another."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from uuid import UUID

from certpipe.core.ports.events import Told
from certpipe.store.database import Record
from certpipe.store.documents import facts_of, views_of
from schemas.base import Kind
from schemas.events import CATALOGUE, CertificateSummary, Event, EventData, EventType, ToldType

_CARRIES: Mapping[str, Sequence[str]] = MappingProxyType({each: CATALOGUE[each].carries for each in EventType})
_BEFORE_ITS_CERTIFICATE = {EventType.VALIDATED}
"""Told when the certificate has no id yet: it must not appear in later readings."""


def told_of(row: Record) -> Told:
    """One event at its place, from the columns of `queries/feed.sql`."""
    return Told(
        position=row["position"],
        organization_id=row["organization_id"],
        upload_id=row["upload_id"],
        event=event_of(row),
        ended=row["ended"],
        reply_to=row["reply_to"],
        correlation_id=row["correlation_id"],
    )


def event_of(row: Record) -> Event:
    """As it is told, with those members that the catalogue gives to its type and no others.

    A type that this version does not know is told too, with what all events have: nothing else of its row is read.
    """
    kind: ToldType = row["type"]
    carries = _CARRIES.get(kind, ())
    data = EventData(
        organization_id=row["organization_id"],
        upload_id=row["upload_id"],
        sequence=row["sequence"],
        party_id=row["party_id"],
        kind=None if row["kind"] is None else Kind(row["kind"]),
        certificate=_certificate(kind, row) if "certificate" in carries else None,
        replaced_by=row["own_certificate_id"] if "replaced_by" in carries else None,
        stage=row["stage"] if "stage" in carries else None,
        code=row["code"] if "code" in carries else None,
        attempt=row["event_attempt"] if "attempt" in carries else None,
        problems=views_of(row["problems"]) if "problems" in carries else (),
        destination=row["destination"] if "destination" in carries else None,
        endpoint_id=row["subject_id"] if "endpoint_id" in carries else None,
    )
    return Event(id=event_id(row["subject_id"], row["sequence"]), type=kind, timestamp=row["at"], data=data)


def event_id(subject_id: UUID, sequence: int) -> str:
    """The id of the event that its subject numbers so."""
    return f"evt_{subject_id.hex}_{sequence}"


def key_of(event: str) -> tuple[UUID, int] | None:
    """Subject and sequence of an event's id; None where it is no id of ours."""
    match event.split("_"):
        case ["evt", subject, sequence] if sequence.isascii() and sequence.isdecimal() and len(sequence) < 10:  # noqa: PLR2004 - below 2^31
            try:
                return UUID(hex=subject), int(sequence)
            except ValueError:
                return None
        case _:
            return None


def _certificate(kind: ToldType, row: Record) -> CertificateSummary | None:
    facts, named = facts_of(row["facts"]), row["certificate_id"]
    summary = CertificateSummary(
        id=None if kind in _BEFORE_ITS_CERTIFICATE else named,
        number=facts.number,
        rfc=facts.rfc,
        kind=facts.kind,
        valid_from=facts.valid_from,
        valid_to=facts.valid_to,
    )
    return None if summary == CertificateSummary() else summary
