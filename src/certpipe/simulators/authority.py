"""An authority that issues e.firmas and CSDs which look exactly like SAT's, for tests and the demo. It proves nothing.

Its certificates are taken only where its anchor was added by hand: `Anchors.with_extra(authority.anchors_json())`.
"""

import json
import secrets
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import pbkdf2_hmac, sha256
from typing import Self

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from certpipe.core.bundle import Bundle
from certpipe.simulators import der
from schemas.base import Kind

RFC = "EKU9003173C9"
LEGAL_NAME = "ESCUELA KEMPER URGATE SA DE CV"
PASSWORD = "12345678a"  # noqa: S105 - the well-known password of SAT's own test files
ITERATIONS = 2048

_CN, _SERIAL, _C, _O, _OU, _NAME, _ID = "2.5.4.3", "2.5.4.5", "2.5.4.6", "2.5.4.10", "2.5.4.11", "2.5.4.41", "2.5.4.45"
_EMAIL = "1.2.840.113549.1.9.1"
_SHA256_WITH_RSA = "1.2.840.113549.1.1.11"
_BASIC_CONSTRAINTS, _KEY_USAGE, _EXTENDED_USAGE = "2.5.29.19", "2.5.29.15", "2.5.29.37"
_NETSCAPE_CERT_TYPE = "2.16.840.1.113730.1.1"
_FOUR_YEARS = timedelta(days=1461)
_COMPANY_LENGTH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a certificate names. A company's RFC has 12 characters and brings its representative's."""

    rfc: str = RFC
    legal_name: str = LEGAL_NAME
    representative_rfc: str | None = None
    curp: str = "VADA800927HSRSRL05"
    branch: str = "Sucursal 1"
    email: str = "pruebas@certpipe.example"

    def encoded(self, kind: Kind) -> bytes:
        """The Name: the same legal name three times, then what the kind has (a branch for a CSD, C and e-mail else)."""
        identifier = f"{self.rfc} / {self.representative_rfc}" if self.representative_rfc else self.rfc
        serial = f" / {self.curp}" if len(self.rfc) == _COMPANY_LENGTH else self.curp
        contact = ((_C, der.text("MX")), (_EMAIL, der.ia5(self.email))) if kind is Kind.FIEL else ()
        branch = ((_OU, der.text(self.branch)),) if kind is Kind.CSD else ()
        return der.name(
            *((kind_of_name, der.text(self.legal_name)) for kind_of_name in (_CN, _NAME, _O)),
            *contact,
            (_ID, der.text(identifier)),
            (_SERIAL, der.text(serial)),
            *branch,
        )


@dataclass(frozen=True, slots=True)
class Issued:
    """A pair with its password, as a taxpayer would submit it."""

    number: str
    bundle: Bundle
    key: rsa.RSAPrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authority:
    """An issuing authority with a name of its own, valid from `not_before` to `not_after`."""

    key: rsa.RSAPrivateKey = field(repr=False)
    not_before: datetime
    not_after: datetime
    common_name: str = "AC SIMULADA DE CERTPIPE"
    environment: str = "uat"

    @classmethod
    def create(cls, *, at: datetime, key: rsa.RSAPrivateKey | None = None, environment: str = "uat") -> Self:
        """One that may issue from four years before `at` to eight years after it."""
        start = at.astimezone(UTC).replace(microsecond=0)
        return cls(key or new_key(), start - _FOUR_YEARS, start + 2 * _FOUR_YEARS, environment=environment)

    @property
    def name_der(self) -> bytes:
        """Its Name, in the types that SAT's issuers use."""
        return der.name(
            (_CN, der.utf8(self.common_name)),
            (_O, der.utf8("SERVICIO DE ADMINISTRACIÓN TRIBUTARIA (SIMULADO)")),
            (_C, der.text("MX")),
            (_ID, der.utf8("SAT970701NN3")),
        )

    def certificate(self) -> bytes:
        """Its own self-signed certificate, DER."""
        return self._sign(b"00000000000090009999", self.name_der, self._dates(), self.key.public_key(), _CA_EXTENSIONS)

    def anchor(self) -> dict[str, str]:
        """Its entry in the shape of `anchors.json`."""
        return {
            "environment": self.environment,
            "role": "issuing",
            "label": self.common_name,
            "common_name": self.common_name,
            "serial": "00000000000090009999",
            "not_before": f"{self.not_before:%Y-%m-%dT%H:%M:%SZ}",
            "not_after": f"{self.not_after:%Y-%m-%dT%H:%M:%SZ}",
            "signature": "sha256",
            "certificate_sha256": sha256(self.certificate()).hexdigest(),
            "subject_der": b64encode(self.name_der).decode(),
            "issuer_der": b64encode(self.name_der).decode(),
            "spki_der": b64encode(_spki(self.key.public_key())).decode(),
        }

    def anchors_json(self) -> str:
        """A whole anchors file with this one authority."""
        return json.dumps({"about": "A simulated authority. It proves nothing.", "anchors": [self.anchor()]}, indent=1)

    def issue(
        self,
        kind: Kind,
        subject: Subject | None = None,
        *,
        valid_from: datetime | None = None,
        valid_to: datetime | None = None,
        password: str | bytes = PASSWORD,
        key: rsa.RSAPrivateKey | None = None,
        number: str | None = None,
    ) -> Issued:
        """Issue a pair, valid from a year before the authority was created to three years after unless told otherwise.

        A password given as bytes encrypts as it is; its text is then read as windows-1252. `key` saves the 100 ms of
        making one.
        """
        start = valid_from or self.not_before + (self.not_after - self.not_before) / 4
        dates = der.sequence(der.utc_time(start), der.utc_time(valid_to or start + _FOUR_YEARS))
        chosen, digits = key or new_key(), number or f"300010000005{secrets.randbelow(10**8):08d}"
        certificate = self._sign(
            digits.encode("ascii"), (subject or Subject()).encoded(kind), dates, chosen.public_key(), _EXTENSIONS[kind]
        )
        secret = password.encode() if isinstance(password, str) else password
        text = password if isinstance(password, str) else password.decode("cp1252")
        return Issued(
            digits, Bundle(certificate=certificate, private_key=encrypted(chosen, secret), password=text), chosen
        )

    def _dates(self) -> bytes:
        return der.sequence(der.utc_time(self.not_before), der.utc_time(self.not_after))

    def _sign(
        self, serial: bytes, subject: bytes, dates: bytes, key: rsa.RSAPublicKey, extensions: tuple[bytes, ...]
    ) -> bytes:
        algorithm = der.sequence(der.oid(_SHA256_WITH_RSA), der.null())
        signed = der.sequence(
            der.tlv(0xA0, der.integer(2)),
            der.tlv(0x02, serial),
            algorithm,
            self.name_der,
            dates,
            subject,
            _spki(key),
            der.tlv(0xA3, der.sequence(*extensions)),
        )
        signature = self.key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        return der.sequence(signed, algorithm, der.bits(signature))


def new_key() -> rsa.RSAPrivateKey:
    """A fresh RSA key of 2048 bits."""
    return rsa.generate_private_key(65537, 2048)


def encrypted(key: rsa.RSAPrivateKey, password: bytes) -> bytes:
    """PKCS#8 as SAT writes it: PBES2, PBKDF2-SHA1 of 2048 rounds, 3DES, salt and vector taken from the plaintext."""
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    salt, vector = plain[30:38], plain[:8]
    padder = PKCS7(64).padder()
    derived = pbkdf2_hmac("sha1", password, salt, ITERATIONS, 24)
    encryptor = Cipher(TripleDES(derived), modes.CBC(vector)).encryptor()
    ciphertext = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    derivation = der.sequence(der.oid("1.2.840.113549.1.5.12"), der.sequence(der.octets(salt), der.integer(ITERATIONS)))
    cipher = der.sequence(der.oid("1.2.840.113549.3.7"), der.octets(vector))
    scheme = der.sequence(der.oid("1.2.840.113549.1.5.13"), der.sequence(derivation, cipher))
    return der.sequence(scheme, der.octets(ciphertext))


def _spki(key: rsa.RSAPublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    return der.sequence(der.oid(oid), b"\x01\x01\xff" if critical else b"", der.octets(value))


_LEAF = _extension(_BASIC_CONSTRAINTS, der.sequence(), critical=True)
_CA_EXTENSIONS = (
    _extension(_BASIC_CONSTRAINTS, der.sequence(b"\x01\x01\xff"), critical=True),
    _extension(_KEY_USAGE, der.bits(b"\x06", 1), critical=True),
)
_EXTENSIONS = {
    Kind.CSD: (_LEAF, _extension(_KEY_USAGE, der.bits(b"\xc0", 6))),
    Kind.FIEL: (
        _LEAF,
        _extension(_KEY_USAGE, der.bits(b"\xd8", 3)),
        _extension(_NETSCAPE_CERT_TYPE, der.bits(b"\xa0", 5)),
        _extension(_EXTENDED_USAGE, der.sequence(der.oid("1.3.6.1.5.5.7.3.4"), der.oid("1.3.6.1.5.5.7.3.2"))),
    ),
}
