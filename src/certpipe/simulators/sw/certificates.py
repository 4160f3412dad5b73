"""What the simulator reads from a certificate. It judges as a PAC would, and proves nothing."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from certpipe.sat import names
from certpipe.sat.certificate import Certificate, read
from certpipe.sat.der import DerError
from schemas.base import Kind

_DATA_ENCIPHERMENT, _KEY_AGREEMENT = 3, 4


@dataclass(frozen=True, slots=True)
class Seen:
    """One certificate. `kind` is told by the key usage where there is one, else by the unit, which only a CSD has."""

    number: str
    rfc: str
    name: str
    kind: Kind
    valid_from: datetime
    valid_to: datetime
    sha256: str


@lru_cache(maxsize=1024)
def seen(der: bytes) -> Seen | None:
    """What the certificate says; None when it is not a DER certificate with a 20-digit number and an RFC."""
    try:
        certificate = read(der)
    except DerError:
        return None
    subject = certificate.subject
    rfc = (subject.first(names.UNIQUE_IDENTIFIER) or "").partition("/")[0].strip()
    if certificate.number is None or not rfc:
        return None
    return Seen(
        number=certificate.number,
        rfc=rfc,
        name=subject.first(names.NAME) or subject.first(names.COMMON_NAME) or "",
        kind=_kind(certificate),
        valid_from=certificate.not_before,
        valid_to=certificate.not_after,
        sha256=certificate.fingerprint,
    )


def _kind(certificate: Certificate) -> Kind:
    usage = certificate.extensions.key_usage
    if usage is None:
        return Kind.CSD if certificate.subject.first(names.UNIT) else Kind.FIEL
    return Kind.FIEL if usage & {_DATA_ENCIPHERMENT, _KEY_AGREEMENT} else Kind.CSD
