"""From the fields that were sent to a bundle for a party: every fault of the shape at once."""

import re
from dataclasses import dataclass, field, replace
from uuid import UUID

from certpipe.core.bundle import Bundle
from certpipe.core.problems import Problem
from certpipe.ingress.envelope import missing
from certpipe.ingress.form import FILES, PASSWORD, Form
from certpipe.ingress.problems import INVALID_FIELD, INVALID_RFC
from certpipe.ingress.refusal import RefusedError
from certpipe.sat.rfc import is_rfc
from schemas.base import Kind

UPLOAD_FIELDS = FILES | {PASSWORD, "party_id", "kind"}
CHECK_FIELDS = UPLOAD_FIELDS | {"rfc"}
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Submission:
    """An upload as a client means it."""

    bundle: Bundle = field(repr=False)
    party_id: UUID
    kind: Kind


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """A dry run: nothing but the bundle is needed."""

    bundle: Bundle = field(repr=False)
    party_id: UUID | None
    kind: Kind | None
    rfc: str | None


def parse_uuid(text: str) -> UUID | None:
    """A UUID in its one usual spelling, or None."""
    return UUID(text) if _UUID.fullmatch(text) else None


def submission(form: Form) -> Submission:
    """Raises `RefusedError` with every fault."""
    problems = [*form.problems, *_missing(form, FILES | {PASSWORD, "party_id", "kind"})]
    bundle, party_id, kind = _bundle(form), _party(form, problems), _kind(form, problems)
    if bundle is None or party_id is None or kind is None or problems:
        raise RefusedError(*problems)
    return Submission(bundle, party_id, kind)


def check_request(form: Form) -> CheckRequest:
    """Raises `RefusedError` with every fault."""
    problems = [*form.problems, *_missing(form, FILES | {PASSWORD})]
    bundle, party_id, kind = _bundle(form), _party(form, problems), _kind(form, problems)
    rfc = form.texts.get("rfc") or None
    if rfc is not None and not is_rfc(rfc):
        problems.append(INVALID_RFC)
    if bundle is None or problems:
        raise RefusedError(*problems)
    return CheckRequest(bundle, party_id, kind, rfc)


def _missing(form: Form, needed: frozenset[str]) -> list[Problem]:
    absent = needed - form.seen | {name for name, text in form.texts.items() if name in needed and not text}
    return [missing(name) for name in sorted(absent)]


def _bundle(form: Form) -> Bundle | None:
    certificate, private_key = form.files.get("certificate"), form.files.get("private_key")
    password = form.texts.get(PASSWORD)
    if certificate is None or private_key is None or password is None:
        return None
    return Bundle(certificate=certificate, private_key=private_key, password=password)


def _party(form: Form, problems: list[Problem]) -> UUID | None:
    text = form.texts.get("party_id")
    party_id = parse_uuid(text) if text else None
    if text and party_id is None:
        problems.append(replace(INVALID_FIELD, field="party_id", hint="This field is a UUID"))
    return party_id


def _kind(form: Form, problems: list[Problem]) -> Kind | None:
    text = form.texts.get("kind")
    if text and text not in set(Kind):
        problems.append(replace(INVALID_FIELD, field="kind", hint=f"One of: {', '.join(Kind)}"))
        return None
    return Kind(text) if text else None
