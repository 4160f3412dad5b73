"""A `.key`: which encryptions it may have, at which cost, and what a wrong password or a damaged byte is called."""

import random
import secrets
from collections.abc import Callable
from hashlib import pbkdf2_hmac

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.hashes import SHA1, SHA224, SHA256, SHA384, SHA512, HashAlgorithm
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from certpipe.core.errors import Rejected
from certpipe.sat import private_key
from certpipe.sat.check import Verdict
from certpipe.simulators import der
from certpipe.simulators.authority import Issued
from tests.unit.sat.build import THOROUGH, changed, codes, encrypted_info, triple_des

Check = Callable[..., Verdict]

pytestmark = pytest.mark.timeout(0 if THOROUGH else 120)

WRONG_PASSWORDS = 1_500 if THOROUGH else 300
AES128, AES192, AES256 = (f"2.16.840.1.101.3.4.1.{last}" for last in (2, 22, 42))
PRFS = {"sha1": "7", "sha224": "8", "sha256": "9", "sha384": "10", "sha512": "11"}


def refusal_of(key: bytes) -> list[str]:
    with pytest.raises(Rejected) as refused:
        private_key.read(key)
    return codes(refused.value.problems)


def test_a_key_reexported_by_the_library_opens(prove: Check, csd: Issued) -> None:
    key = csd.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"otra clave"))
    assert prove(changed(csd.bundle, private_key=key, password="otra clave")).valid


@pytest.mark.parametrize("prf", PRFS)
@pytest.mark.parametrize(("cipher", "length"), [(AES128, 16), (AES192, 24), (AES256, 32), ("1.2.840.113549.3.7", 24)])
def test_every_allowed_combination_is_read(prf: str, cipher: str, length: int) -> None:
    key = encrypted_info(
        prf=der.sequence(der.oid(f"1.2.840.113549.2.{PRFS[prf]}"), der.null()),
        cipher=cipher,
        key_length=der.integer(length),
        vector=b"v" * (8 if length == 24 and cipher.startswith("1.") else 16),
    )
    expected: dict[str, type[HashAlgorithm]] = {
        "sha1": SHA1,
        "sha224": SHA224,
        "sha256": SHA256,
        "sha384": SHA384,
        "sha512": SHA512,
    }
    assert isinstance(private_key.read(key).prf, expected[prf])


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (encrypted_info(iterations=der.integer(0)), "key_kdf_too_costly"),
        (encrypted_info(iterations=b"\x02\x01\xff"), "key_kdf_too_costly"),
        (encrypted_info(iterations=der.integer(100_001)), "key_kdf_too_costly"),
        (encrypted_info(iterations=der.integer(2**31 - 1)), "key_kdf_too_costly"),
        (encrypted_info(iterations=der.integer(2**63)), "key_kdf_too_costly"),
        (encrypted_info(iterations=der.integer(2**200)), "key_kdf_too_costly"),
        (encrypted_info(salt=b""), "key_kdf_too_costly"),
        (encrypted_info(salt=b"s" * 65), "key_kdf_too_costly"),
        (encrypted_info(scheme="1.2.840.113549.1.5.3"), "key_alg_unsupported"),
        (encrypted_info(derivation="1.3.6.1.4.1.11591.4.11"), "key_alg_unsupported"),
        (encrypted_info(cipher="1.2.840.113549.3.2"), "key_alg_unsupported"),
        (encrypted_info(prf=der.sequence(der.oid("1.2.840.113549.2.99"))), "key_alg_unsupported"),
        (encrypted_info(key_length=der.integer(16)), "key_unreadable"),
        (encrypted_info(vector=b"seven.."), "key_unreadable"),
        (encrypted_info(ciphertext=b""), "key_unreadable"),
        (encrypted_info(ciphertext=b"x" * 63), "key_unreadable"),
        (encrypted_info() + b"\0", "key_unreadable"),
        (encrypted_info()[:-1], "key_unreadable"),
    ],
)  # fmt: skip
def test_what_a_key_may_not_ask_for(key: bytes, code: str) -> None:
    assert refusal_of(key) == [code]


def test_the_oid_of_an_unsupported_encryption_is_told() -> None:
    with pytest.raises(Rejected) as refused:
        private_key.read(encrypted_info(cipher="1.2.840.113549.3.2"))
    assert "1.2.840.113549.3.2" in refused.value.problems[0].message_es


def test_random_wrong_passwords_are_all_told_as_wrong_passwords(csd: Issued) -> None:
    key = private_key.read(csd.bundle.private_key)
    for _ in range(WRONG_PASSWORDS):
        with pytest.raises(Rejected) as refused:
            private_key.unlock(key, secrets.token_urlsafe(9))
        assert codes(refused.value.problems) == ["wrong_password"]


def test_padding_that_passes_by_luck_is_still_a_wrong_password(csd: Issued) -> None:
    key = private_key.read(csd.bundle.private_key)
    lucky = 0
    for number in range(2_000):
        derived = pbkdf2_hmac("sha1", b"wrong %d" % number, key.salt, 1, 24)
        vector, ciphertext = key.ciphertext[-16:-8], key.ciphertext[-8:]
        last = Cipher(TripleDES(derived), modes.CBC(vector)).decryptor()
        lucky += last.update(ciphertext)[-1] == 1
        if lucky:
            break
    assert lucky, "luck that common must be found"
    cheap = private_key.EncryptedKey(key.prf, key.salt, 1, key.scheme, key.vector, key.ciphertext)
    with pytest.raises(Rejected, match="wrong_password"):
        private_key.unlock(cheap, f"wrong {number}")


def offsets(size: int) -> list[int]:
    """Every byte, or: all of the header, the last two blocks, and a sample between."""
    if THOROUGH:
        return list(range(size))
    between = random.Random(7).sample(range(96, size - 16), 60)  # noqa: S311 - a fixed sample
    return [*range(96), *between, *range(size - 16, size)]


def test_no_single_damaged_byte_is_accepted(prove: Check, csd: Issued) -> None:
    good = csd.bundle.private_key
    values = (0x01, 0x80, 0xFF, 0x20, 0x55) if THOROUGH else (0x01,)
    for place in offsets(len(good)):
        for value in values:
            damaged = bytearray(good)
            damaged[place] ^= value
            verdict = prove(changed(csd.bundle, private_key=bytes(damaged)))
            assert not verdict.valid, f"byte {place} changed by {value:#x}"
            assert verdict.canonical is None
            assert codes(verdict.problems)[0].startswith(("key_", "wrong_password"))


def test_damage_behind_the_start_is_told_from_a_wrong_password(prove: Check, csd: Issued) -> None:
    for place in (-700, -300, -9, -1):
        damaged = bytearray(csd.bundle.private_key)
        damaged[place] ^= 0x10
        (fault,) = prove(changed(csd.bundle, private_key=bytes(damaged))).problems
        assert fault.code == "key_unreadable"
        assert "password is right" in (fault.hint or "")


def test_no_truncation_is_accepted(prove: Check, csd: Issued) -> None:
    good = csd.bundle.private_key
    for size in range(0, len(good), 1 if THOROUGH else 13):
        assert not prove(changed(csd.bundle, private_key=good[:size])).valid


def test_the_key_of_another_kind_does_not_match(prove: Check, csd: Issued) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    key = other.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"12345678a"))
    assert codes(prove(changed(csd.bundle, private_key=key)).problems) == ["key_mismatch"]


def test_a_key_encrypted_twice_does_not_open(prove: Check, csd: Issued) -> None:
    inner = csd.bundle.private_key
    derived = pbkdf2_hmac("sha1", b"12345678a", b"saltsalt", 2048, 24)
    fill = 8 - len(inner) % 8
    twice = encrypted_info(ciphertext=triple_des(inner + bytes([fill]) * fill, derived, b"vectorve"))
    assert codes(prove(changed(csd.bundle, private_key=twice)).problems) == ["wrong_password"]


def test_a_short_ciphertext_is_a_wrong_password(prove: Check, csd: Issued) -> None:
    key = encrypted_info(ciphertext=b"12345678")
    assert codes(prove(changed(csd.bundle, private_key=key)).problems) == ["wrong_password"]


def test_an_unencrypted_key_is_refused_whatever_its_form(prove: Check, csd: Issued) -> None:
    for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
        for encoding in (Encoding.DER, Encoding.PEM):
            key = csd.key.private_bytes(encoding, form, NoEncryption())
            assert codes(prove(changed(csd.bundle, private_key=key)).problems) == ["key_not_encrypted"]


def test_an_unencrypted_key_of_another_certificate_has_both_faults(prove: Check, csd: Issued, fiel: Issued) -> None:
    key = fiel.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    verdict = prove(changed(csd.bundle, private_key=key, password=""))
    assert codes(verdict.problems) == ["key_not_encrypted", "key_mismatch"]


def test_a_pem_key_of_the_old_kind_is_unsupported(prove: Check, csd: Issued) -> None:
    key = csd.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, BestAvailableEncryption(b"12345678a"))
    assert codes(prove(changed(csd.bundle, private_key=key)).problems) == ["key_alg_unsupported"]


def test_a_pfx_in_the_place_of_the_key_is_named(prove: Check, csd: Issued) -> None:
    pfx = pkcs12.serialize_key_and_certificates(b"x", csd.key, None, None, BestAvailableEncryption(b"12345678a"))
    (fault,) = prove(changed(csd.bundle, private_key=pfx)).problems
    assert fault.code == "key_unreadable"
    assert ".pfx" in (fault.hint or "")


def test_attributes_behind_the_key_are_refused_for_nothing_vouches_for_them(csd: Issued) -> None:
    plain = csd.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    attribute = der.tlv(0xA0, der.sequence(der.oid("2.5.29.15"), der.tlv(0x31, der.bits(b"\x10"))))
    assert private_key.numbers(plain).sound
    with pytest.raises(Rejected, match="key_unreadable"):
        private_key.numbers(der.sequence(plain[4:], attribute))


def test_at_the_highest_cost_only_the_two_likeliest_readings_are_tried(csd: Issued) -> None:
    def locked(password: bytes) -> private_key.EncryptedKey:
        derived = pbkdf2_hmac("sha1", password, b"saltsalt", 100_000, 24)
        plain = csd.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        fill = 8 - len(plain) % 8
        ciphertext = triple_des(plain + bytes([fill]) * fill, derived, b"vectorve")
        return private_key.read(encrypted_info(iterations=der.integer(100_000), ciphertext=ciphertext))

    assert private_key.unlock(locked("ñ".encode("cp1252")), "ñ").candidate.text == "ñ"
    with pytest.raises(Rejected, match="wrong_password"):
        private_key.unlock(locked("ñ".encode("cp1252")), "n\u0303")
