"""Secrets of webhook endpoints, the public half: who imports this makes and seals them, and can open none."""

import base64
import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from certpipe.core.ports.webhooks import NewKeys, SealedText
from certpipe.crypto.keyfiles import KEY_BYTES, WEBHOOK_DOCUMENT, KeyFolderError, read_public
from certpipe.crypto.scheme import SUITE, EndpointPurpose, endpoint_info
from schemas.sealing import SealingKey


class HpkeEndpointSealer:
    """Seals with HPKE to one public key: the port `EndpointSealer`."""

    def __init__(self, kid: str, public_key: X25519PublicKey) -> None:
        self._kid = kid
        self._public_key = public_key

    @classmethod
    def from_folder(cls, folder: Path) -> "HpkeEndpointSealer":
        """Read the public document, and no private file. Raises `KeyFolderError`."""
        content = read_public(folder, WEBHOOK_DOCUMENT)
        try:
            key = SealingKey.model_validate_json(content)
        except ValueError:
            raise KeyFolderError(f"{folder / WEBHOOK_DOCUMENT}: not a public key; restore it from a backup") from None
        return cls(key.kid, X25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key.x + "=")))

    def new_keys(self, endpoint_id: UUID, /) -> NewKeys:
        """Sealed: 32 bytes for HMAC, then 32 for Ed25519."""
        hmac, ed25519 = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(KEY_BYTES)
        public_key = Ed25519PrivateKey.from_private_bytes(ed25519).public_key().public_bytes_raw()
        return NewKeys(
            secret=f"whsec_{base64.b64encode(hmac).decode()}",
            public_key=f"whpk_{base64.b64encode(public_key).decode()}",
            sealed=self._seal(hmac + ed25519, EndpointPurpose.KEYS, endpoint_id),
        )

    def seal_headers(self, endpoint_id: UUID, headers: Mapping[str, str], /) -> SealedText:
        """Sealed: a JSON object in ASCII."""
        return self._seal(json.dumps(dict(headers)).encode("ascii"), EndpointPurpose.HEADERS, endpoint_id)

    def _seal(self, content: bytes, purpose: EndpointPurpose, endpoint_id: UUID) -> SealedText:
        info = endpoint_info(self._kid, purpose, endpoint_id)
        return SealedText(self._kid, SUITE.encrypt(content, self._public_key, info))
