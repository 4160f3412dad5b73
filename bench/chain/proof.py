"""Validation with the library: parse, dates, issuer's signature, load the key, compare, sign and verify."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_private_key

UNIQUE_IDENTIFIER = x509.ObjectIdentifier("2.5.4.45")
PROBE = b"does this key belong to this certificate?"


class RefusedError(Exception):
    """The bundle is not good."""


@dataclass(frozen=True)
class Facts:
    """What is kept of a certificate."""

    rfc: str
    number: str


class Prover:
    """Proves bundles of one issuer. `skip_key_check` skips the library's check that the key is a sound RSA key."""

    def __init__(self, authority: Path, *, skip_key_check: bool) -> None:
        self._issuer = x509.load_der_x509_certificate(authority.read_bytes())
        self._skip = skip_key_check

    def prove(self, certificate: bytes, private_key: bytes, password: str) -> Facts:
        """The facts. Raises `RefusedError`, or `ValueError` for what cannot be read."""
        found = x509.load_der_x509_certificate(certificate)
        found.verify_directly_issued_by(self._issuer)
        if not found.not_valid_before_utc <= datetime.now(UTC) <= found.not_valid_after_utc:
            raise RefusedError("not valid now")
        key = load_der_private_key(private_key, password.encode(), unsafe_skip_rsa_key_validation=self._skip)
        public = found.public_key()
        if not isinstance(key, rsa.RSAPrivateKey) or not isinstance(public, rsa.RSAPublicKey):
            raise RefusedError("not RSA")
        if key.public_key().public_numbers() != public.public_numbers():
            raise RefusedError("the key is another certificate's")
        public.verify(key.sign(PROBE, padding.PKCS1v15(), SHA256()), PROBE, padding.PKCS1v15(), SHA256())
        return Facts(rfc=_rfc(found), number=_number(found))


def _rfc(certificate: x509.Certificate) -> str:
    value = certificate.subject.get_attributes_for_oid(UNIQUE_IDENTIFIER)[0].value
    return str(value).partition("/")[0].strip()


def _number(certificate: x509.Certificate) -> str:
    serial = certificate.serial_number
    return serial.to_bytes((serial.bit_length() + 7) // 8, "big").decode("ascii")
