"""The private half of sealing: opens boxes. Only processes that hold the intake key import this."""

from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from certpipe.core.bundle import Bundle
from certpipe.core.errors import Rejected
from certpipe.core.uploads import Box, BoxBinding
from certpipe.crypto.jwe import open_jwe
from certpipe.crypto.keyfiles import KeyKind, private_files, read_key
from certpipe.crypto.plaintext import decode
from certpipe.crypto.problems import BOX_UNOPENABLE, UNKNOWN_SEALING_KEY
from certpipe.crypto.scheme import MOST_SEALED, SUITE, hpke_info
from schemas.upload import SealFormat


class BoxOpener:
    """Opens boxes that were sealed to any of its keys: the port `Opener`.

    Every failure looks the same from outside, `box_unopenable`, except the one that the sender can act on otherwise:
    `unknown_sealing_key`. The errors of the libraries are dropped, never chained: they may carry the plaintext.
    """

    def __init__(self, keys: Mapping[str, X25519PrivateKey]) -> None:
        self._keys = dict(keys)

    @classmethod
    def from_folder(cls, folder: Path) -> "BoxOpener":
        """Load every private intake key of a folder, current and older. Raises `KeyFolderError`."""
        files = private_files(folder, KeyKind.INTAKE)
        return cls({file.kid: X25519PrivateKey.from_private_bytes(read_key(file)) for file in files})

    def open(self, box: Box, binding: BoxBinding, /) -> Bundle:
        key = self._keys.get(box.kid)
        if key is None:
            raise Rejected(UNKNOWN_SEALING_KEY)
        plaintext = self._plaintext(box, binding, key) if len(box.ciphertext) <= MOST_SEALED else None
        bundle = None if plaintext is None else decode(plaintext)
        if bundle is None:
            raise Rejected(BOX_UNOPENABLE)
        return bundle

    @staticmethod
    def _plaintext(box: Box, binding: BoxBinding, key: X25519PrivateKey) -> bytes | None:
        match box.format:
            case SealFormat.HPKE:
                return _open_hpke(box, binding, key)
            case SealFormat.JWE:
                return open_jwe(box, binding, key)


def _open_hpke(box: Box, binding: BoxBinding, key: X25519PrivateKey) -> bytes | None:
    try:
        return SUITE.decrypt(box.ciphertext, key, hpke_info(box.kid, binding))
    except (InvalidTag, ValueError):
        return None
