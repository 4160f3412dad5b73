"""What a readable certificate must fulfil beyond being readable: section D of the check list, and its strength."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from certpipe.core.problems import Problem
from certpipe.sat import kind as kinds
from certpipe.sat import names
from certpipe.sat import rfc as rfcs
from certpipe.sat.certificate import LARGEST_MODULUS_BITS, Certificate
from certpipe.sat.problems import problem
from certpipe.sat.trust import Anchor, Environment
from schemas.base import Kind
from schemas.status import CertificateFacts

LEAST_MODULUS_BITS = 2048
EXPIRING_SOON = timedelta(days=30)

_ISSUER_HINT = (
    "Suba el .cer que el SAT entregó; los autofirmados, de otra autoridad o firmados con SHA-1 no sirven"
    " / Send the .cer that SAT delivered; self-signed ones, other authorities' and SHA-1 signatures do not count"
)
_WORDS = {
    Environment.UAT: {
        "es": "de pruebas del SAT",
        "where_es": "producción",
        "en": "SAT test",
        "where_en": "production",
    },
    Environment.PRODUCTION: {
        "es": "de producción del SAT",
        "where_es": "pruebas",
        "en": "SAT production",
        "where_en": "the test environment",
    },
}


def facts(certificate: Certificate, issuer: Anchor | None) -> CertificateFacts:
    """What the certificate says of itself. `environment` is its issuer's, so null when SAT did not issue it."""
    subject = certificate.subject
    owner, representative = _rfcs(certificate)
    return CertificateFacts(
        number=certificate.number,
        rfc=owner,
        representative_rfc=representative,
        legal_name=subject.first(names.NAME) or subject.first(names.COMMON_NAME),
        branch=kinds.branch(certificate),
        kind=kinds.tell(certificate),
        valid_from=certificate.not_before,
        valid_to=certificate.not_after,
        issuer=certificate.issuer.first(names.COMMON_NAME) or certificate.issuer.first(names.ORGANIZATION),
        environment=issuer.environment.value if issuer else None,
        sha256=certificate.fingerprint,
    )


def _rfcs(certificate: Certificate) -> tuple[str | None, str | None]:
    """The owner's RFC and the representative's: `RFC` or `RFC / RFC_REP`. What is not an RFC is None."""
    values = set(certificate.subject.all(names.UNIQUE_IDENTIFIER))
    if len(values) != 1:
        return None, None
    owner, _, representative = (rfcs.normal(part) for part in values.pop().partition("/"))
    return owner if rfcs.is_rfc(owner) else None, representative if rfcs.is_rfc(representative) else None


def strength(certificate: Certificate) -> Iterator[Problem]:
    """The public key: RSA, of 2048 bits or more, with numbers that make a key."""
    key = certificate.public_key
    if key is None or key.modulus < 0 or key.modulus.bit_length() < LEAST_MODULUS_BITS:
        yield problem("key_too_weak")
    elif key.modulus.bit_length() > LARGEST_MODULUS_BITS or not key.modulus & key.exponent & 1 or key.exponent <= 1:
        yield problem(
            "key_too_weak", hint="El módulo o el exponente están fuera de rango / Modulus or exponent out of range"
        )


def origin(certificate: Certificate, issuer: Anchor | None, environment: Environment) -> Iterator[Problem]:
    """SAT's number, SAT's signature, and the right one of SAT's two worlds."""
    if certificate.number is None:
        yield problem("not_sat_number")
    if issuer is None:
        yield problem("not_issued_by_sat", hint=_ISSUER_HINT)
    elif issuer.environment is not environment:
        yield problem("wrong_environment", **_WORDS[issuer.environment])


def owner(found: CertificateFacts, wanted: str | None) -> Iterator[Problem]:
    """The RFC: there, well-formed, and the wanted one."""
    if found.rfc is None:
        yield problem("rfc_missing_or_invalid")
    if wanted is None or found.rfc is None:
        return
    expected = rfcs.normal(wanted)
    if expected == found.rfc:
        return
    hint = None
    if expected == found.representative_rfc:
        hint = (
            "Ese RFC es del representante legal; indique el de la empresa"
            " / That RFC is the legal representative's; give the company's"
        )
    shown = expected if rfcs.is_rfc(expected) else "inválido / invalid"
    yield problem("rfc_mismatch", found=found.rfc, wanted=shown, hint=hint)


def usage(certificate: Certificate, wanted: Kind | None) -> Iterator[Problem]:
    """A taxpayer's, of a kind that can be told, and the wanted one."""
    if not kinds.is_taxpayers(certificate):
        yield problem("is_ca_or_bad_usage")
        return
    kind = kinds.tell(certificate)
    if kind is None:
        yield problem("kind_unknown")
    elif wanted is not None and kind is not wanted:
        yield problem("wrong_kind_fiel" if kind is Kind.FIEL else "wrong_kind_csd")


def time(certificate: Certificate, at: datetime) -> Iterator[Problem]:
    """Valid at that instant; both bounds belong to the validity (RFC 5280, section 4.1.2.5)."""
    if at < certificate.not_before:
        yield problem("not_yet_valid", hint=f"Vigente desde / valid from {certificate.not_before:%Y-%m-%dT%H:%M:%SZ}")
    if at > certificate.not_after:
        yield problem("expired", date=f"{certificate.not_after:%Y-%m-%d}")


def warnings(certificate: Certificate, found: CertificateFacts, at: datetime) -> Iterator[Problem]:
    """What does not stop a certificate but should be known."""
    if found.rfc is not None and not rfcs.has_right_check_digit(found.rfc):
        yield Problem(
            code="rfc_missing_or_invalid",
            message_es="El dígito verificador del RFC no coincide",
            message_en="The check digit of the RFC does not match",
            field="certificate",
            hint="Cerca del 1.5 % de los RFC vigentes son así / About 1.5 % of living RFCs are like that",
            status=200,
        )
    left = certificate.not_after - at
    if timedelta() <= left <= EXPIRING_SOON and at >= certificate.not_before:
        yield problem("expiring_soon", days=left.days)
