"""Each part under a data key of its own, and the data key under the wrapping key: AES-256-GCM."""

import os
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NONCE = 12


@dataclass(frozen=True)
class Wrapped:
    """One part at rest."""

    ciphertext: bytes
    nonce: bytes
    wrapped_key: bytes


class Envelope:
    """Wraps and unwraps parts under one wrapping key."""

    def __init__(self, wrapping_key: bytes) -> None:
        self._wrapping = AESGCM(wrapping_key)

    def wrap(self, content: bytes, context: bytes) -> Wrapped:
        """Encrypt `content`, bound to `context`."""
        data_key, nonce, key_nonce = os.urandom(32), os.urandom(NONCE), os.urandom(NONCE)
        wrapped_key = key_nonce + self._wrapping.encrypt(key_nonce, data_key, context)
        return Wrapped(AESGCM(data_key).encrypt(nonce, content, context), nonce, wrapped_key)

    def unwrap(self, part: Wrapped, context: bytes) -> bytes:
        """The content again."""
        data_key = self._wrapping.decrypt(part.wrapped_key[:NONCE], part.wrapped_key[NONCE:], context)
        return AESGCM(data_key).decrypt(part.nonce, part.ciphertext, context)
