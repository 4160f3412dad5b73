"""FIEL or CSD. SAT names no discriminator, so every signal must agree: branch, key usage and extended usage."""

from certpipe.sat import names, rfc
from certpipe.sat.certificate import Certificate
from schemas.base import Kind

_DIGITAL_SIGNATURE, _NON_REPUDIATION, _DATA_ENCIPHERMENT, _KEY_AGREEMENT = 0, 1, 3, 4
_SIGNING = frozenset({_DIGITAL_SIGNATURE, _NON_REPUDIATION})
_ENCIPHERING = frozenset({_DATA_ENCIPHERMENT, _KEY_AGREEMENT})
_SIGNING_AUTHORITY = frozenset({5, 6})
_EMAIL_AND_CLIENT = frozenset({"1.3.6.1.5.5.7.3.4", "1.3.6.1.5.5.7.3.2"})
_OCSP_SIGNING = "1.3.6.1.5.5.7.3.9"


def tell(certificate: Certificate) -> Kind | None:
    """The kind, or None when the signals disagree."""
    usage, purposes = certificate.extensions.key_usage, certificate.extensions.purposes
    if branch(certificate) is not None:
        return Kind.CSD if usage == _SIGNING and purposes is None else None
    if usage is None or purposes is None:
        return None
    return Kind.FIEL if usage >= _ENCIPHERING and purposes >= _EMAIL_AND_CLIENT else None


def branch(certificate: Certificate) -> str | None:
    """The branch (OU) of a CSD, as it stands; None when there is none."""
    return certificate.subject.first(names.UNIT) or None


def is_taxpayers(certificate: Certificate) -> bool:
    """Whether it can be a taxpayer's at all: no authority, no responder, no PAC, and it may sign."""
    extensions = certificate.extensions
    usage = extensions.key_usage or frozenset()
    return not (
        extensions.is_ca
        or extensions.unknown_critical
        or not usage >= _SIGNING
        or usage & _SIGNING_AUTHORITY
        or _OCSP_SIGNING in (extensions.purposes or ())
        or any(map(_is_pac, certificate.subject.all(names.UNIT)))
    )


def _is_pac(unit: str) -> bool:
    """SAT's own certificates for PACs carry `PAC<RFC>` or `MEGAPAC<RFC>`; a branch may be called PACHUCA."""
    text = rfc.normal(unit)
    for prefix in ("MEGAPAC", "PAC"):
        if text.startswith(prefix):
            return rfc.is_rfc(text.removeprefix(prefix).lstrip(" _-"))
    return False
