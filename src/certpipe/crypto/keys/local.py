"""A key provider without any server: wrapping keys in files of the key folder."""

import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from certpipe.core.errors import Rejected
from certpipe.core.ports.custody import DataKey
from certpipe.crypto.keyfiles import KEY_BYTES, KeyKind, private_files, read_key
from certpipe.crypto.problems import PART_DAMAGED, WRAPPING_KEY_MISSING

_NONCE_BYTES = 12
_TAG_BYTES = 16


class LocalKeyProvider:
    """Wraps data keys with AES-256-GCM: `nonce || ciphertext || tag`, 60 bytes.

    Key id, version and the caller's context are authenticated. Nonces are random, so a version is good for 2^32 data
    keys (NIST SP 800-38D §8.3): 1.4 thousand million certificates.
    """

    name = "local"

    def __init__(self, keys: Mapping[tuple[str, int], bytes], *, current: tuple[str, int]) -> None:
        """Take keys by (key id, version); data keys are made under `current`, the others only unwrap."""
        self._keys = {which: AESGCM(key) for which, key in keys.items()}
        self._current = current

    @classmethod
    def from_folder(cls, folder: Path) -> "LocalKeyProvider":
        """Load every wrapping key of a folder; the newest version is current. Raises `KeyFolderError`."""
        files = private_files(folder, KeyKind.WRAPPING)
        keys = {(file.key_id, file.version): read_key(file) for file in files}
        return cls(keys, current=(files[0].key_id, files[0].version))

    async def generate(self, context: bytes) -> DataKey:
        key_id, key_version = self._current
        plaintext, nonce = os.urandom(KEY_BYTES), os.urandom(_NONCE_BYTES)
        bound_to = _bound_to(key_id, key_version, context)
        wrapped = nonce + self._keys[self._current].encrypt(nonce, plaintext, bound_to)
        return DataKey(plaintext, wrapped, key_id, key_version)

    async def unwrap(self, wrapped: bytes, *, key_id: str, key_version: int, context: bytes) -> bytes:
        key = self._keys.get((key_id, key_version))
        if key is None:
            raise Rejected(WRAPPING_KEY_MISSING)
        if len(wrapped) != _NONCE_BYTES + KEY_BYTES + _TAG_BYTES:
            raise Rejected(PART_DAMAGED)
        try:
            return key.decrypt(wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], _bound_to(key_id, key_version, context))
        except InvalidTag:
            raise Rejected(PART_DAMAGED) from None


def _bound_to(key_id: str, key_version: int, context: bytes) -> bytes:
    return f"certpipe/wrap/v1|{key_id}|{key_version}|".encode() + context
