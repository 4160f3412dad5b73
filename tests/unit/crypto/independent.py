"""Sealing by hand, from the RFCs and bare primitives: what a foreign producer would write. Shares no code with ours.

`python -m tests.unit.crypto.independent` rewrites the vectors in tests/golden/sealing.
"""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.kdf.hkdf import HKDF, HKDFExpand

GOLDEN = Path(__file__).parents[2] / "golden" / "sealing"
_KEM_ID = b"KEM" + (0x0020).to_bytes(2)
_HPKE_ID = b"HPKE" + b"".join(value.to_bytes(2) for value in (0x0020, 0x0001, 0x0002))


def _extract(suite: bytes, salt: bytes, label: str, ikm: bytes) -> bytes:
    return HKDF.extract(SHA256(), salt or bytes(32), b"HPKE-v1" + suite + label.encode() + ikm)


def _expand(suite: bytes, prk: bytes, label: str, info: bytes, length: int) -> bytes:
    labeled = length.to_bytes(2) + b"HPKE-v1" + suite + label.encode() + info
    return HKDFExpand(SHA256(), length, labeled).derive(prk)


def _schedule(shared: bytes, enc: bytes, recipient: bytes, info: bytes) -> tuple[bytes, bytes]:
    """RFC 9180 §4.1 ExtractAndExpand, then §5.1 KeySchedule in base mode: the AEAD key and its first nonce."""
    eae_prk = _extract(_KEM_ID, b"", "eae_prk", shared)
    secret = _expand(_KEM_ID, eae_prk, "shared_secret", enc + recipient, 32)
    psk_id_hash = _extract(_HPKE_ID, b"", "psk_id_hash", b"")
    context = b"\0" + psk_id_hash + _extract(_HPKE_ID, b"", "info_hash", info)
    prk = _extract(_HPKE_ID, secret, "secret", b"")
    return _expand(_HPKE_ID, prk, "key", context, 32), _expand(_HPKE_ID, prk, "base_nonce", context, 12)


def seal_hpke(plaintext: bytes, public_key: X25519PublicKey, info: bytes, ephemeral: X25519PrivateKey) -> bytes:
    """`enc || ciphertext`."""
    enc = ephemeral.public_key().public_bytes_raw()
    key, nonce = _schedule(ephemeral.exchange(public_key), enc, public_key.public_bytes_raw(), info)
    return enc + AESGCM(key).encrypt(nonce, plaintext, b"")


def open_hpke(box: bytes, private_key: X25519PrivateKey, info: bytes) -> bytes:
    enc, recipient = box[:32], private_key.public_key().public_bytes_raw()
    key, nonce = _schedule(private_key.exchange(X25519PublicKey.from_public_bytes(enc)), enc, recipient, info)
    return AESGCM(key).decrypt(nonce, box[32:], b"")


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def seal_jwe(
    plaintext: bytes, public_key: X25519PublicKey, header: dict[str, object], ephemeral: X25519PrivateKey, iv: bytes
) -> str:
    """A compact JWE (RFC 7518 §4.6 direct key agreement). `header` adds or replaces members; None leaves one out."""
    x = b64url(ephemeral.public_key().public_bytes_raw())
    members = {"alg": "ECDH-ES", "enc": "A256GCM", "epk": {"kty": "OKP", "crv": "X25519", "x": x}, **header}
    present = {name: value for name, value in members.items() if value is not None}
    protected = b64url(json.dumps(present, separators=(",", ":")).encode())
    other = b"\0\0\0\x07A256GCM" + bytes(8) + (256).to_bytes(4)
    key = ConcatKDFHash(SHA256(), 32, other).derive(ephemeral.exchange(public_key))
    sealed = AESGCM(key).encrypt(iv, plaintext, protected.encode())
    return ".".join((protected, "", b64url(iv), b64url(sealed[:-16]), b64url(sealed[-16:])))


@dataclass(frozen=True)
class Vector:
    """Fixed inputs; the keys exist for the vectors only."""

    private_key: bytes = bytes.fromhex("1f" * 32)
    ephemeral: bytes = bytes.fromhex("2e" * 32)
    iv: bytes = bytes.fromhex("3d" * 12)
    kid: str = "intake-00000000.v1"
    upload_id: str = "01940000-0000-7000-8000-00000000000a"
    organization_id: str = "01940000-0000-7000-8000-00000000000b"
    plaintext: str = '{"certificate":"MIIB","private_key":"MIIC","password":"Ñandú \\"12345678a\\""}'

    def common(self) -> dict[str, str]:
        public = X25519PrivateKey.from_private_bytes(self.private_key).public_key().public_bytes_raw()
        return {
            "note": "Keys of this file are for testing only.",
            "private_key_hex": self.private_key.hex(),
            "public_key_hex": public.hex(),
            "ephemeral_private_key_hex": self.ephemeral.hex(),
            "kid": self.kid,
            "upload_id": self.upload_id,
            "organization_id": self.organization_id,
            "plaintext": self.plaintext,
        }

    def hpke(self) -> dict[str, str]:
        recipient = X25519PrivateKey.from_private_bytes(self.private_key)
        info = f"certpipe/seal/v1|{self.kid}|{self.upload_id}|{self.organization_id}"
        ephemeral = X25519PrivateKey.from_private_bytes(self.ephemeral)
        box = seal_hpke(self.plaintext.encode(), recipient.public_key(), info.encode(), ephemeral)
        return {**self.common(), "format": "hpke", "info": info, "ciphertext": base64.b64encode(box).decode()}

    def jwe(self) -> dict[str, str]:
        recipient = X25519PrivateKey.from_private_bytes(self.private_key)
        ephemeral = X25519PrivateKey.from_private_bytes(self.ephemeral)
        header: dict[str, object] = {"kid": self.kid, "sub": self.upload_id, "iss": self.organization_id}
        token = seal_jwe(self.plaintext.encode(), recipient.public_key(), header, ephemeral, self.iv)
        return {**self.common(), "iv_hex": self.iv.hex(), "format": "jwe", "ciphertext": token}

    def files(self) -> dict[str, str]:
        vectors = {"hpke.json": self.hpke(), "jwe.json": self.jwe()}
        return {name: json.dumps(vector, indent=2, ensure_ascii=False) + "\n" for name, vector in vectors.items()}


if __name__ == "__main__":
    for name, text in Vector().files().items():
        (GOLDEN / name).write_text(text, "utf-8")
