"""A `.cer`, read by our own reader (RFC 5280): the usual ones refuse names that SAT really issues."""

from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256

from certpipe.sat import names
from certpipe.sat.der import (
    BIT_STRING,
    BOOLEAN,
    GENERALIZED_TIME,
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    UTC_TIME,
    DerError,
    Element,
    Reader,
)
from certpipe.sat.names import Name

RSA_ENCRYPTION = "1.2.840.113549.1.1.1"
LARGEST_MODULUS_BITS = 8192
"""SAT issues 2048. Anything above this is refused before any arithmetic."""

_BASIC_CONSTRAINTS = "2.5.29.19"
_KEY_USAGE = "2.5.29.15"
_EXTENDED_KEY_USAGE = "2.5.29.37"
_NETSCAPE_CERT_TYPE = "2.16.840.1.113730.1.1"
_MOST_EXTENSIONS = 32
_MOST_PURPOSES = 16
_UTC_LENGTH = len("yymmddhhmmssZ")
_PIVOT = 50


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An RSA public key: (n, e)."""

    modulus: int
    exponent: int


@dataclass(frozen=True, slots=True)
class Extensions:
    """What the extensions say.

    Attributes:
        is_ca: basicConstraints says so.
        key_usage: the bits that are set, 0 = digitalSignature; None when there is no keyUsage.
        purposes: the dotted OIDs of extKeyUsage; None when there is none.
        unknown_critical: an extension that we do not know is critical.
    """

    is_ca: bool = False
    key_usage: frozenset[int] | None = None
    purposes: frozenset[str] | None = None
    unknown_critical: bool = False


@dataclass(frozen=True, slots=True)
class Certificate:
    """One X.509 certificate. `public_key` is None when it is not an RSA key of a size that we would compute with."""

    der: bytes
    signed: bytes
    serial: bytes
    signature_algorithm: str
    signature: bytes
    issuer_der: bytes
    issuer: Name
    subject: Name
    not_before: datetime
    not_after: datetime
    public_key: PublicKey | None
    extensions: Extensions

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the DER, in hex."""
        return sha256(self.der).hexdigest()

    @property
    def number(self) -> str | None:
        """NoCertificado: the serial's 20 bytes are 20 ASCII digits; None when they are not."""
        content = self.serial
        return content.decode("ascii") if len(content) == 20 and content.isdigit() else None  # noqa: PLR2004 - SAT's


def read(der: bytes) -> Certificate:
    """Read exactly one DER certificate. Raises `DerError` when it is cut short, is followed by anything, or is none."""
    outer = Reader(der)
    body = outer.enter(SEQUENCE)
    outer.finish()
    signed = body.take(SEQUENCE)
    algorithm = body.take(SEQUENCE)
    signature = _bits(body.take(BIT_STRING))
    body.finish()

    tbs = signed.inside()
    version = tbs.enter(0xA0)
    if version.integer(most_bytes=1) != 2:  # noqa: PLR2004 - v3 is written as 2
        raise DerError("not version 3")
    serial = tbs.take(INTEGER).content
    if tbs.take(SEQUENCE).encoded != algorithm.encoded:
        raise DerError("two signature algorithms")
    issuer = tbs.take(SEQUENCE)
    not_before, not_after = _validity(tbs.enter(SEQUENCE))
    subject = tbs.take(SEQUENCE)
    key = tbs.take(SEQUENCE)
    for unique_id in (0x81, 0x82):
        if tbs.peek() == unique_id:
            tbs.read()
    extensions = _extensions(tbs.enter(0xA3)) if tbs.rest else Extensions()
    tbs.finish()
    return Certificate(
        der=der,
        signed=signed.encoded,
        serial=serial,
        signature_algorithm=algorithm.inside().oid(),
        signature=signature,
        issuer_der=issuer.encoded,
        issuer=names.read(issuer),
        subject=names.read(subject),
        not_before=not_before,
        not_after=not_after,
        public_key=read_public_key(key.encoded),
        extensions=extensions,
    )


def read_public_key(spki: bytes) -> PublicKey | None:
    """The RSA key of a SubjectPublicKeyInfo; None for another kind, or one that is too large. Raises `DerError`."""
    outer = Reader(spki)
    info = outer.enter(SEQUENCE)
    outer.finish()
    algorithm = info.enter(SEQUENCE)
    bits = info.take(BIT_STRING)
    info.finish()
    if algorithm.oid() != RSA_ENCRYPTION:
        return None
    if len(bits.content) > LARGEST_MODULUS_BITS // 8 + 32:
        return None
    wrapped = Reader(_bits(bits))
    numbers = wrapped.enter(SEQUENCE)
    wrapped.finish()
    most = LARGEST_MODULUS_BITS // 8 + 1
    key = PublicKey(numbers.integer(most_bytes=most), numbers.integer(most_bytes=most))
    numbers.finish()
    return key


def _bits(element: Element) -> bytes:
    """The bytes of a BIT STRING of whole bytes."""
    content = element.content
    if not content or content[0] != 0:
        raise DerError("a bit string that is not whole bytes")
    return content[1:]


def _validity(reader: Reader) -> tuple[datetime, datetime]:
    times = (_time(reader.read()), _time(reader.read()))
    reader.finish()
    return times


def _time(element: Element) -> datetime:
    """A UTCTime or GeneralizedTime with seconds and `Z`, as RFC 5280 asks."""
    content = element.content
    digits = content[:-1].decode("latin-1")
    if content[-1:] != b"Z" or not (digits.isascii() and digits.isdigit()):
        raise DerError("a time in another form")
    if element.tag == UTC_TIME and len(content) == _UTC_LENGTH:
        digits = ("19" if int(digits[:2]) >= _PIVOT else "20") + digits
    elif element.tag != GENERALIZED_TIME or len(content) != _UTC_LENGTH + 2:
        raise DerError("a time in another form")
    try:
        month, day, hour, minute, second = (int(digits[i : i + 2]) for i in range(4, 14, 2))
        return datetime(int(digits[:4]), month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise DerError("no such time") from error


def _extensions(wrapper: Reader) -> Extensions:
    sequence = wrapper.enter(SEQUENCE)
    wrapper.finish()
    values: dict[str, tuple[bool, Element]] = {}
    while sequence.rest:
        extension = sequence.enter(SEQUENCE)
        oid, critical = extension.oid(), False
        if extension.peek() == BOOLEAN:
            critical = extension.read().content == b"\xff"
        value = extension.take(OCTET_STRING)
        extension.finish()
        if oid in values or len(values) == _MOST_EXTENSIONS:
            raise DerError("an extension twice, or too many")
        values[oid] = critical, value
    known = {_BASIC_CONSTRAINTS, _KEY_USAGE, _EXTENDED_KEY_USAGE, _NETSCAPE_CERT_TYPE}
    return Extensions(
        is_ca=_BASIC_CONSTRAINTS in values and _is_ca(values[_BASIC_CONSTRAINTS][1].inside()),
        key_usage=_usage(values[_KEY_USAGE][1].inside()) if _KEY_USAGE in values else None,
        purposes=_purposes(values[_EXTENDED_KEY_USAGE][1].inside()) if _EXTENDED_KEY_USAGE in values else None,
        unknown_critical=any(critical and oid not in known for oid, (critical, _) in values.items()),
    )


def _is_ca(reader: Reader) -> bool:
    constraints = reader.enter(SEQUENCE)
    reader.finish()
    return constraints.peek() == BOOLEAN and constraints.read().content != b"\x00"


def _usage(reader: Reader) -> frozenset[int]:
    content = reader.take(BIT_STRING).content
    reader.finish()
    if not 2 <= len(content) <= 3:  # noqa: PLR2004 - the count of unused bits, then nine bits at most
        raise DerError("a malformed key usage")
    return frozenset(bit for bit in range(8 * (len(content) - 1)) if content[1 + bit // 8] >> (7 - bit % 8) & 1)


def _purposes(reader: Reader) -> frozenset[str]:
    sequence = reader.enter(SEQUENCE)
    reader.finish()
    purposes: set[str] = set()
    while sequence.rest:
        purposes.add(sequence.oid())
        if len(purposes) > _MOST_PURPOSES:
            raise DerError("too many purposes")
    return frozenset(purposes)
