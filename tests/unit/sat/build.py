"""What the tests of the domain build by hand."""

import os
from base64 import b64encode
from collections.abc import Sequence

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from certpipe.core.bundle import Bundle
from certpipe.core.problems import Problem
from certpipe.sat.rsa_proof import Numbers
from certpipe.simulators import der
from certpipe.simulators.authority import Authority, Subject
from schemas.base import Kind

THOROUGH = os.environ.get("CERTPIPE_THOROUGH") == "1"
"""The long way: every offset, ten thousand examples. Set the environment variable of this name to 1."""


def signed_integer(value: int) -> bytes:
    """An INTEGER that may be negative."""
    return der.tlv(0x02, value.to_bytes(value.bit_length() // 8 + 1, signed=True))


def numbers_of(key: rsa.RSAPrivateKey) -> Numbers:
    """The integers of a good key."""
    private = key.private_numbers()
    public = private.public_numbers
    return Numbers(public.n, public.e, private.d, private.p, private.q, private.dmp1, private.dmq1, private.iqmp)


def private_key_info(integers: Sequence[int], *, version: int = 0) -> bytes:
    """An unencrypted PKCS#8 around an RSAPrivateKey of these integers (n, e, d, p, q, dP, dQ, qInv)."""
    algorithm = der.sequence(der.oid("1.2.840.113549.1.1.1"), der.null())
    inner = der.sequence(der.integer(0), *map(signed_integer, integers))
    return der.sequence(der.integer(version), algorithm, der.octets(inner))


def encrypted_info(
    *,
    scheme: str = "1.2.840.113549.1.5.13",
    derivation: str = "1.2.840.113549.1.5.12",
    salt: bytes = b"saltsalt",
    iterations: bytes = b"\x02\x02\x08\x00",
    key_length: bytes = b"",
    prf: bytes = b"",
    cipher: str = "1.2.840.113549.3.7",
    vector: bytes = b"vectorve",
    ciphertext: bytes = b"\0" * 64,
) -> bytes:
    """An EncryptedPrivateKeyInfo, every part of which can be made wrong. `iterations`, `key_length`, `prf`: encoded."""
    parameters = der.sequence(der.octets(salt), iterations, key_length, prf)
    return der.sequence(
        der.sequence(
            der.oid(scheme),
            der.sequence(
                der.sequence(der.oid(derivation), parameters), der.sequence(der.oid(cipher), der.octets(vector))
            ),
        ),
        der.octets(ciphertext),
    )


def triple_des(plain: bytes, key: bytes, vector: bytes) -> bytes:
    """CBC without padding, so that damage can be made inside."""
    encryptor = Cipher(TripleDES(key), modes.CBC(vector)).encryptor()
    return encryptor.update(plain) + encryptor.finalize()


def changed(bundle: Bundle, **parts: bytes | str) -> Bundle:
    """The same bundle with other parts."""
    mine = {"certificate": bundle.certificate, "private_key": bundle.private_key, "password": bundle.password}
    return Bundle(**(mine | parts))  # type: ignore[arg-type] # the keys say which type each part has


def codes(problems: Sequence[Problem]) -> list[str]:
    """The codes alone."""
    return [problem.code for problem in problems]


def pem(label: str, content: bytes) -> bytes:
    """PEM armour."""
    body = b64encode(content).decode()
    lines = "\n".join(body[start : start + 64] for start in range(0, len(body), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n".encode()


def extension(oid: str, value: bytes, *, critical: bool = False) -> bytes:
    """One Extension."""
    return der.sequence(der.oid(oid), b"\x01\x01\xff" if critical else b"", der.octets(value))


BASIC = extension("2.5.29.19", der.sequence(), critical=True)
CSD_USAGE = extension("2.5.29.15", der.bits(b"\xc0", 6))
CSD_EXTENSIONS = (BASIC, CSD_USAGE)


def spki(modulus: int, exponent: int) -> bytes:
    """The SubjectPublicKeyInfo of an RSA key of any numbers."""
    algorithm = der.sequence(der.oid("1.2.840.113549.1.1.1"), der.null())
    return der.sequence(algorithm, der.bits(der.sequence(signed_integer(modulus), signed_integer(exponent))))


def certificate(
    authority: Authority,
    *,
    key: bytes,
    subject: bytes | None = None,
    serial: bytes = b"30001000000500003416",
    extensions: Sequence[bytes] = CSD_EXTENSIONS,
    dates: bytes | None = None,
    issuer: bytes | None = None,
    hashing: tuple[str, hashes.HashAlgorithm] = ("1.2.840.113549.1.1.11", hashes.SHA256()),
    signer: rsa.RSAPrivateKey | None = None,
) -> bytes:
    """A certificate, every part of which can be made wrong, with a good signature all the same."""
    algorithm = der.sequence(der.oid(hashing[0]), der.null())
    life = der.sequence(der.utc_time(authority.not_before), der.utc_time(authority.not_after))
    signed = der.sequence(
        der.tlv(0xA0, der.integer(2)),
        der.tlv(0x02, serial),
        algorithm,
        issuer or authority.name_der,
        dates or life,
        subject or Subject().encoded(Kind.CSD),
        key,
        der.tlv(0xA3, der.sequence(*extensions)),
    )
    signature = (signer or authority.key).sign(signed, padding.PKCS1v15(), hashing[1])
    return der.sequence(signed, algorithm, der.bits(signature))


def public_half(key: rsa.RSAPrivateKey) -> bytes:
    """Its SubjectPublicKeyInfo."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
