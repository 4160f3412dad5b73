"""Who issued it: SAT's authorities as trust anchors (RFC 5914: a name, a public key, dates), and the chain by hand.

The usual path builders cannot be used: SAT's leaves lack key identifiers, and one authority's certificate cannot even
be loaded. Production and test (`uat`) anchors are kept apart by their environment.
"""

import json
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from certpipe.sat.certificate import Certificate

_HASHES: Mapping[str, hashes.HashAlgorithm] = MappingProxyType(
    {
        "1.2.840.113549.1.1.11": hashes.SHA256(),
        "1.2.840.113549.1.1.12": hashes.SHA384(),
        "1.2.840.113549.1.1.13": hashes.SHA512(),
    }
)
"""How a taxpayer's certificate may be signed. SHA-1 and MD5 ended at SAT in 2015 and prove nothing today."""

_REMEDY = "reinstall certpipe, or restore certpipe/sat/anchors.json from the release"


class Environment(StrEnum):
    """Whose certificates: SAT's real ones, or its test ones."""

    PRODUCTION = "production"
    UAT = "uat"


class AnchorsError(ValueError):
    """The anchors cannot be used. The text says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """One authority. `issues`: it issues taxpayers' certificates (roots do not)."""

    label: str
    environment: Environment
    issues: bool
    name_der: bytes = field(repr=False)
    key: rsa.RSAPublicKey = field(repr=False)
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True, slots=True)
class Anchors:
    """An immutable set of authorities, looked up by the raw DER of their names."""

    by_name: Mapping[bytes, tuple[Anchor, ...]]

    @classmethod
    def of(cls, anchors: Iterable[Anchor]) -> Self:
        """Exactly these."""
        by_name: dict[bytes, tuple[Anchor, ...]] = {}
        for anchor in anchors:
            by_name[anchor.name_der] = (*by_name.get(anchor.name_der, ()), anchor)
        return cls(MappingProxyType(by_name))

    @classmethod
    def packaged(cls) -> Self:
        """The authorities of SAT that come with certpipe. Raises `AnchorsError`."""
        try:
            text = files("certpipe.sat").joinpath("anchors.json").read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise AnchorsError(f"SAT's trust anchors (anchors.json) are missing or unreadable: {_REMEDY}") from error
        try:
            anchors = _parse(text)
        except AnchorsError as error:
            raise AnchorsError(f"SAT's trust anchors (anchors.json) are damaged, {error}: {_REMEDY}") from error
        return cls.of(anchors)

    def with_extra(self, extra: str | list[dict[str, Any]]) -> Self:
        """These and more: JSON text or parsed entries in the shape of `anchors.json`. Raises `AnchorsError`."""
        mine = (anchor for anchors in self.by_name.values() for anchor in anchors)
        return self.of((*mine, *_parse(extra)))

    def issuer_of(self, certificate: Certificate) -> Anchor | None:
        """The authority that signed it, while it might; None when there is none among these."""
        algorithm = _HASHES.get(certificate.signature_algorithm)
        if algorithm is None:
            return None
        for anchor in self.by_name.get(certificate.issuer_der, ()):
            if (
                anchor.issues
                and anchor.not_before <= certificate.not_before <= anchor.not_after
                and _signed_by(anchor, certificate, algorithm)
            ):
                return anchor
        return None


def _signed_by(anchor: Anchor, certificate: Certificate, algorithm: hashes.HashAlgorithm) -> bool:
    try:
        anchor.key.verify(certificate.signature, certificate.signed, padding.PKCS1v15(), algorithm)
    except InvalidSignature:
        return False
    return True


def _parse(source: str | list[dict[str, Any]]) -> list[Anchor]:
    """The anchors of a JSON text `{"anchors": [...]}` or `[...]`, or of its parsed entries."""
    try:
        document = json.loads(source) if isinstance(source, str) else source
    except (ValueError, RecursionError) as error:
        raise AnchorsError("they are not JSON") from error
    entries = document.get("anchors") if isinstance(document, dict) else document
    if not isinstance(entries, list) or not entries:
        raise AnchorsError("there is no list `anchors`")
    return [_anchor(place, entry) for place, entry in enumerate(entries)]


def _anchor(place: int, entry: Any) -> Anchor:
    try:
        key = load_der_public_key(b64decode(entry["spki_der"], validate=True))
        if not isinstance(key, rsa.RSAPublicKey):
            raise TypeError("not an RSA key")  # noqa: TRY301 - told below, together with every other fault of an entry
        return Anchor(
            label=str(entry["label"]),
            environment=Environment(entry["environment"]),
            issues=entry["role"] == "issuing",
            name_der=b64decode(entry["subject_der"], validate=True),
            key=key,
            not_before=datetime.fromisoformat(entry["not_before"]).astimezone(UTC),
            not_after=datetime.fromisoformat(entry["not_after"]).astimezone(UTC),
        )
    except (KeyError, TypeError, ValueError, OverflowError, UnsupportedAlgorithm) as error:
        raise AnchorsError(f"entry {place + 1} is not an anchor ({type(error).__name__})") from error
