"""The public half of sealing: whoever imports this can seal, and can open nothing."""

import base64
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from certpipe.core.bundle import Bundle
from certpipe.core.uploads import Box, BoxBinding
from certpipe.crypto.keyfiles import PUBLIC_DOCUMENT, KeyFile, KeyFolderError, read_public
from certpipe.crypto.plaintext import encode
from certpipe.crypto.scheme import SUITE, hpke_info
from schemas.sealing import SealingKey, SealingKeysDocument
from schemas.upload import SealFormat


@dataclass(frozen=True, slots=True)
class SealingKeys:
    """The public intake keys. `document` is what `GET /v1/sealing-keys` answers."""

    document: SealingKeysDocument

    @classmethod
    def from_folder(cls, folder: Path) -> "SealingKeys":
        """Read the public document, and no private file. Raises `KeyFolderError`."""
        content = read_public(folder)
        try:
            document = SealingKeysDocument.model_validate_json(content)
        except ValueError:
            document = None
        if document is None or document.current not in {key.kid for key in document.keys}:
            raise KeyFolderError(f"{folder / PUBLIC_DOCUMENT}: not a sealing-keys document; restore it from a backup")
        return cls(document)

    @property
    def current(self) -> SealingKey:
        """The key to seal to."""
        return next(key for key in self.document.keys if key.kid == self.document.current)


class HpkeSealer:
    """Seals with HPKE to one public key: the port `Sealer`. Raises `Rejected` for a bundle that is too large."""

    def __init__(self, kid: str, public_key: X25519PublicKey) -> None:
        self._kid = kid
        self._public_key = public_key

    @classmethod
    def from_folder(cls, folder: Path) -> "HpkeSealer":
        """A sealer to the current key of a folder; reads no private file. Raises `KeyFolderError`."""
        key = SealingKeys.from_folder(folder).current
        return cls(key.kid, X25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key.x + "=")))

    def seal(self, bundle: Bundle, binding: BoxBinding, /) -> Box:
        ciphertext = SUITE.encrypt(encode(bundle), self._public_key, hpke_info(self._kid, binding))
        return Box(SealFormat.HPKE, self._kid, ciphertext)


def public_jwk(file: KeyFile, public_key: bytes, created: datetime) -> SealingKey:
    """The public half of an intake key as a JWK."""
    x = base64.urlsafe_b64encode(public_key).decode().rstrip("=")
    return SealingKey(kid=file.kid, x=x, version=file.version, created=created)
