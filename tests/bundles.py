"""Bundles by the names that transcripts use: `csd`, `fiel` (good), `old_csd`, `old_fiel` (expired)."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from certpipe.core.bundle import Bundle
from certpipe.sat import certificate, rules
from certpipe.simulators.authority import Authority, new_key
from schemas.base import Kind
from tests.samples import CSD_NUMBER, FIEL_NUMBER, pair

OLD_CSD, OLD_FIEL = "30001000000400002436", "30001000000400002308"
"""Genuine pairs that have expired in 2023."""


def generated(authority: Authority) -> Mapping[str, Bundle]:
    """Issued by an authority of the test's own."""
    key, then = new_key(), datetime.now(UTC) - timedelta(days=400)
    good = {kind.value: authority.issue(kind) for kind in Kind}
    old = {
        f"old_{kind}": authority.issue(kind, valid_from=then, valid_to=then + timedelta(1), key=key) for kind in Kind
    }
    return {name: issued.bundle for name, issued in (good | old).items()}


def genuine() -> Mapping[str, Bundle]:
    """SAT's own test certificates; skips where they are missing."""
    numbers = {"csd": CSD_NUMBER, "fiel": FIEL_NUMBER, "old_csd": OLD_CSD, "old_fiel": OLD_FIEL}
    return {name: _bundle(number) for name, number in numbers.items()}


def _bundle(number: str) -> Bundle:
    sample = pair(number)
    return Bundle(certificate=sample.certificate, private_key=sample.private_key, password=sample.password)


def quoted(bundles: Mapping[str, Bundle]) -> Mapping[str, str]:
    """What transcripts say of them: `csd.number`, `csd.rfc`, `csd.from`, `csd.to`, `csd.day`, `csd.password`."""
    told: dict[str, str] = {}
    for name, bundle in bundles.items():
        facts = rules.facts(certificate.read(bundle.certificate), None)
        assert facts.valid_from is not None
        assert facts.valid_to is not None
        told |= {
            f"{name}.number": str(facts.number),
            f"{name}.rfc": str(facts.rfc),
            f"{name}.from": f"{facts.valid_from:%Y-%m-%dT%H:%M:%S.000Z}",
            f"{name}.to": f"{facts.valid_to:%Y-%m-%dT%H:%M:%S.000Z}",
            f"{name}.day": f"{facts.valid_to:%Y-%m-%d}",
            f"{name}.password": bundle.password,
        }
    return told
