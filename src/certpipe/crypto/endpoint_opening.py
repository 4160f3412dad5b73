"""Secrets of webhook endpoints, the private half. Only the process that signs imports this."""

import json
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from certpipe.core.errors import Rejected
from certpipe.core.ports.webhooks import SealedText, SigningKeys
from certpipe.crypto.keyfiles import KEY_BYTES, KeyKind, private_files, read_key
from certpipe.crypto.problems import ENDPOINT_UNOPENABLE, WEBHOOK_KEY_MISSING
from certpipe.crypto.scheme import SUITE, EndpointPurpose, endpoint_info


class HpkeEndpointOpener:
    """Opens what was sealed to any of its keys: the port `EndpointOpener`.

    The errors of the libraries are dropped, never chained: they may carry the plaintext.
    """

    def __init__(self, keys: Mapping[str, X25519PrivateKey]) -> None:
        self._keys = dict(keys)

    @classmethod
    def from_folder(cls, folder: Path) -> "HpkeEndpointOpener":
        """Load every private webhook key of a folder, current and older. Raises `KeyFolderError`."""
        files = private_files(folder, KeyKind.WEBHOOK)
        return cls({file.kid: X25519PrivateKey.from_private_bytes(read_key(file)) for file in files})

    def keys(self, endpoint_id: UUID, sealed: SealedText, /) -> SigningKeys:
        content = self._open(sealed, EndpointPurpose.KEYS, endpoint_id)
        if len(content) != 2 * KEY_BYTES:
            raise Rejected(ENDPOINT_UNOPENABLE)
        return SigningKeys(hmac=content[:KEY_BYTES], ed25519=content[KEY_BYTES:])

    def headers(self, endpoint_id: UUID, sealed: SealedText, /) -> Mapping[str, str]:
        headers = _headers(self._open(sealed, EndpointPurpose.HEADERS, endpoint_id))
        if headers is None:
            raise Rejected(ENDPOINT_UNOPENABLE)
        return headers

    def _open(self, sealed: SealedText, purpose: EndpointPurpose, endpoint_id: UUID) -> bytes:
        key = self._keys.get(sealed.kid)
        if key is None:
            raise Rejected(WEBHOOK_KEY_MISSING)
        content = _decrypted(sealed.ciphertext, key, endpoint_info(sealed.kid, purpose, endpoint_id))
        if content is None:
            raise Rejected(ENDPOINT_UNOPENABLE)
        return content


def _decrypted(ciphertext: bytes, key: X25519PrivateKey, info: bytes) -> bytes | None:
    try:
        return SUITE.decrypt(ciphertext, key, info)
    except (InvalidTag, ValueError):
        return None


def _headers(content: bytes) -> Mapping[str, str] | None:
    try:
        read = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(read, dict) or not all(isinstance(value, str) for value in read.values()):
        return None
    return read
