"""A `.key`: PKCS#8, encrypted by PBES2 (RFC 8018). Costs are capped before anything is computed.

No byte of it ever reaches a library's private-key loader: PBKDF2 and the cipher are primitives, the rest is ours.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, CipherAlgorithm, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.padding import PKCS7

from certpipe.core.errors import Rejected
from certpipe.sat import passwords, rsa_proof
from certpipe.sat.certificate import RSA_ENCRYPTION
from certpipe.sat.der import INTEGER, NULL, OCTET_STRING, OID, SEQUENCE, DerError, Reader
from certpipe.sat.passwords import Candidate
from certpipe.sat.problems import problem

MOST_ITERATIONS = 100_000
"""Per try. SAT uses 1 024 or 2 048."""
MOST_ITERATIONS_IN_ALL = 200_000
"""Over all readings of a password: at 100 000 a try, only the two likeliest are tried."""
LONGEST_SALT = 64

_PBES2 = "1.2.840.113549.1.5.13"
_PBKDF2 = "1.2.840.113549.1.5.12"
_HMAC_SHA1 = "1.2.840.113549.2.7"
_HEAD = 64
"""Bytes that are decrypted to see whether the password is right, before the rest is."""

_LEAST_HEAD = 16

_PRFS: Mapping[str, hashes.HashAlgorithm] = MappingProxyType(
    {
        _HMAC_SHA1: hashes.SHA1(),  # noqa: S303 - what SAT encrypts with
        "1.2.840.113549.2.8": hashes.SHA224(),
        "1.2.840.113549.2.9": hashes.SHA256(),
        "1.2.840.113549.2.10": hashes.SHA384(),
        "1.2.840.113549.2.11": hashes.SHA512(),
    }
)


@dataclass(frozen=True, slots=True)
class _Scheme:
    algorithm: Callable[[bytes], CipherAlgorithm]
    key_length: int
    block: int


_SCHEMES: Mapping[str, _Scheme] = MappingProxyType(
    {
        "1.2.840.113549.3.7": _Scheme(TripleDES, 24, 8),
        "2.16.840.1.101.3.4.1.2": _Scheme(AES, 16, 16),
        "2.16.840.1.101.3.4.1.22": _Scheme(AES, 24, 16),
        "2.16.840.1.101.3.4.1.42": _Scheme(AES, 32, 16),
    }
)


@dataclass(frozen=True, slots=True)
class EncryptedKey:
    """What an EncryptedPrivateKeyInfo says of itself; every parameter is within its cap."""

    prf: hashes.HashAlgorithm
    salt: bytes
    iterations: int
    scheme: _Scheme
    vector: bytes
    ciphertext: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """The PrivateKeyInfo, and the reading of the password that opened it. `plain` is None when its end is damaged."""

    plain: bytes | None = field(repr=False)
    candidate: Candidate


def read(der: bytes) -> EncryptedKey:
    """Read an EncryptedPrivateKeyInfo without decrypting. Raises `Rejected` with one problem."""
    try:
        return _read(der)
    except DerError as error:
        raise Rejected(problem("key_unreadable")) from error


def _read(der: bytes) -> EncryptedKey:
    outer = Reader(der)
    info = outer.enter(SEQUENCE)
    outer.finish()
    algorithm = info.enter(SEQUENCE)
    ciphertext = info.take(OCTET_STRING).content
    info.finish()
    _allow(algorithm.oid(), (_PBES2,))
    parameters = algorithm.enter(SEQUENCE)
    algorithm.finish()
    derivation, encryption = parameters.enter(SEQUENCE), parameters.enter(SEQUENCE)
    parameters.finish()
    scheme = _SCHEMES[_allow(encryption.oid(), _SCHEMES)]
    vector = encryption.take(OCTET_STRING).content
    encryption.finish()
    _allow(derivation.oid(), (_PBKDF2,))
    salt, iterations, prf = _derivation(derivation.enter(SEQUENCE), scheme.key_length)
    derivation.finish()
    if len(vector) != scheme.block or not ciphertext or len(ciphertext) % scheme.block:
        raise DerError("not whole blocks")
    return EncryptedKey(prf, salt, iterations, scheme, vector, ciphertext)


def _derivation(reader: Reader, key_length: int) -> tuple[bytes, int, hashes.HashAlgorithm]:
    """PBKDF2-params: the salt, the iterations, the pseudo-random function."""
    salt = reader.take(OCTET_STRING).content
    count = reader.take(INTEGER).content
    if reader.peek() == INTEGER and reader.integer(most_bytes=2) != key_length:
        raise DerError("a key length that is not the cipher's")
    prf = _HMAC_SHA1
    if reader.rest:
        algorithm = reader.enter(SEQUENCE)
        prf = _allow(algorithm.oid(), _PRFS)
        if algorithm.peek() == NULL:
            algorithm.null()
        algorithm.finish()
    reader.finish()
    iterations = int.from_bytes(count[:8], signed=True) if len(count) <= 8 else 0  # noqa: PLR2004 - out of range anyway
    if not 1 <= iterations <= MOST_ITERATIONS or not 1 <= len(salt) <= LONGEST_SALT:
        raise Rejected(problem("key_kdf_too_costly"))
    return salt, iterations, _PRFS[prf]


def _allow(oid: str, allowed: tuple[str, ...] | Mapping[str, object]) -> str:
    if oid not in allowed:
        raise Rejected(problem("key_alg_unsupported", oid=oid[:64]))
    return oid


def unlock(key: EncryptedKey, password: str) -> Opened:
    """Try each reading of the password. Raises `Rejected` (`wrong_password`) when none opens the key.

    The start of a PrivateKeyInfo is the proof of the password, not the padding, which passes by luck once in 250
    tries. So a damaged end is told from a wrong password; a damaged start cannot be.
    """
    spent = 0
    for candidate in passwords.candidates(password):
        spent += key.iterations
        if spent > MOST_ITERATIONS_IN_ALL:
            break
        derived = PBKDF2HMAC(key.prf, key.scheme.key_length, key.salt, key.iterations).derive(candidate.encoded)
        decryptor = Cipher(key.scheme.algorithm(derived), modes.CBC(key.vector)).decryptor()
        head = decryptor.update(key.ciphertext[:_HEAD])
        if _starts_private_key_info(head):
            padded = head + decryptor.update(key.ciphertext[_HEAD:]) + decryptor.finalize()
            return Opened(_unpadded(padded, key.scheme.block), candidate)
    raise Rejected(problem("wrong_password"))


def _starts_private_key_info(head: bytes) -> bool:
    """SEQUENCE (of two length bytes) { INTEGER 0 or 1, SEQUENCE { OBJECT IDENTIFIER …: luck makes it once in 2⁴⁰."""
    if len(head) < _LEAST_HEAD:
        return False
    body = 2 + (head[1] & 0x7F if head[1] & 0x80 else 0)
    return (
        head[0] == SEQUENCE
        and body <= 4  # noqa: PLR2004 - two bytes of length reach 64 KiB
        and head[body : body + 2] == b"\x02\x01"
        and head[body + 2] <= 1
        and head[body + 3] == SEQUENCE
        and head[body + 5] == OID
    )


def _unpadded(padded: bytes, block: int) -> bytes | None:
    unpadder = PKCS7(block * 8).unpadder()
    try:
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        return None


def numbers(plain: bytes | None) -> rsa_proof.Numbers:
    """The sound RSA numbers of a PrivateKeyInfo (RFC 5208). Raises `Rejected`.

    `key_unreadable` when it is damaged, `key_mismatch` when it is a key of another kind than any SAT certificate has.
    """
    damaged = Rejected(
        problem(
            "key_unreadable",
            hint="La contraseña es correcta; el archivo está dañado / The password is right; the file is damaged",
        )
    )
    if plain is None:
        raise damaged
    try:
        found = _numbers(plain)
    except DerError as error:
        raise damaged from error
    if found is None:
        raise Rejected(problem("key_mismatch"))
    if not found.sound:
        raise damaged
    return found


def _numbers(plain: bytes) -> rsa_proof.Numbers | None:
    outer = Reader(plain)
    info = outer.enter(SEQUENCE)
    outer.finish()
    if info.integer(most_bytes=1) != 0:
        raise DerError("another version")
    algorithm = info.enter(SEQUENCE)
    wrapped = info.take(OCTET_STRING).content
    if algorithm.oid() != RSA_ENCRYPTION:
        return None
    if algorithm.rest:
        algorithm.null()
    algorithm.finish()
    info.finish()
    return rsa_proof.read(wrapped)
