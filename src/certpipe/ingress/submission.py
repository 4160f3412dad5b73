"""From the fields that were sent to a bundle for a party: every fault of the shape at once."""

import re
from dataclasses import dataclass, field, replace
from uuid import UUID

from certpipe.core.bundle import Bundle
from certpipe.core.problems import Problem
from certpipe.ingress.envelope import missing
from certpipe.ingress.fields import BUNDLE, CERTIFICATE, PASSWORD, PRIVATE_KEY, Fields
from certpipe.ingress.form import Form
from certpipe.ingress.problems import INVALID_FIELD, INVALID_RFC
from certpipe.ingress.refusal import RefusedError
from certpipe.sat.rfc import is_rfc
from schemas.base import Kind

_UPLOAD = BUNDLE | {"party_id", "kind"}
UPLOAD_FIELDS = Fields.native(sorted(_UPLOAD), required=_UPLOAD)
CHECK_FIELDS = Fields.native(sorted(_UPLOAD | {"rfc"}), required=BUNDLE)
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Submission:
    """An upload as a client means it. `rfc`: the certificate's must equal it; None: the party's own."""

    bundle: Bundle = field(repr=False)
    party_id: UUID
    kind: Kind
    rfc: str | None = None


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
    problems = _problems(form)
    bundle, party_id, kind = _bundle(form), _party(form, problems), _kind(form, problems)
    if bundle is None or party_id is None or kind is None or problems:
        raise RefusedError(*problems)
    return Submission(bundle, party_id, kind)


def check_request(form: Form) -> CheckRequest:
    """Raises `RefusedError` with every fault."""
    problems = _problems(form)
    bundle, party_id, kind = _bundle(form), _party(form, problems), _kind(form, problems)
    rfc = form.texts.get("rfc") or None
    if rfc is not None and not is_rfc(rfc):
        problems.append(INVALID_RFC.about(form.fields.wire("rfc")))
    if bundle is None or problems:
        raise RefusedError(*problems)
    return CheckRequest(bundle, party_id, kind, rfc)


def bundle_of(form: Form) -> Bundle:
    """The three parts alone. Raises `RefusedError` with every fault."""
    problems, bundle = _problems(form), _bundle(form)
    if bundle is None or problems:
        raise RefusedError(*problems)
    return bundle


def _problems(form: Form) -> list[Problem]:
    """What was wrong with the fields that came, and those that did not come."""
    needed = form.fields.required
    absent = needed - form.seen | {name for name, text in form.texts.items() if name in needed and not text}
    return [*form.problems, *(missing(name).about(form.fields.wire(name)) for name in sorted(absent))]


def _bundle(form: Form) -> Bundle | None:
    certificate, private_key = form.files.get(CERTIFICATE), form.files.get(PRIVATE_KEY)
    password = form.texts.get(PASSWORD)
    if certificate is None or private_key is None or password is None:
        return None
    return Bundle(certificate=certificate, private_key=private_key, password=password)


def _party(form: Form, problems: list[Problem]) -> UUID | None:
    text = form.texts.get("party_id")
    party_id = parse_uuid(text) if text else None
    if text and party_id is None:
        problems.append(replace(INVALID_FIELD, field=form.fields.wire("party_id"), hint="This field is a UUID"))
    return party_id


def _kind(form: Form, problems: list[Problem]) -> Kind | None:
    text = form.texts.get("kind")
    if text and text not in set(Kind):
        hint = f"One of: {', '.join(Kind)}"
        problems.append(replace(INVALID_FIELD, field=form.fields.wire("kind"), hint=hint))
        return None
    return Kind(text) if text else None
