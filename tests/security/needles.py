"""Looking for a secret in heaps of bytes: any 16 bytes of it, as they are, in base64 at any offset, or in hex."""

import base64
from collections.abc import Iterator
from pathlib import Path

LEAST = 16
"""So many bytes of a secret in a row are a find; fewer may be chance."""
_IN_BASE64, _IN_HEX = 20, 32
_LENGTHS = (LEAST, _IN_BASE64, _IN_HEX)
_WORD = 8
_CHUNK = 1 << 20
_OVERLAP = 128


class Needles:
    """All pieces of the secrets in all spellings.

    Of any piece of 16 bytes, eight lie in one aligned word of the hay; so the words are compared first, which runs at
    a hundred megabytes a second, and only a place where one fits is read closely.
    """

    def __init__(self, *secrets: bytes) -> None:
        self._pieces: set[bytes] = set()
        words: set[bytes] = set()
        for secret in secrets:
            for spelling, length in _spellings(secret):
                self._pieces.update(_windows(spelling, length))
                words.update(_windows(spelling, _WORD))
        self._words = {int.from_bytes(word, "little") for word in words}

    def found_in(self, hay: bytes) -> bool:
        """Whether a piece of a secret is in `hay`."""
        for start in range(0, len(hay), _CHUNK):
            chunk = hay[start : start + _CHUNK + _OVERLAP]
            chunk += bytes(-len(chunk) % _WORD)
            hay_words = memoryview(chunk).cast("Q")
            if chunk.strip(b"\0") and not self._words.isdisjoint(hay_words) and self._looked(chunk, hay_words):
                return True
        return False

    def _looked(self, chunk: bytes, hay_words: memoryview) -> bool:
        places = (_WORD * i for i, word in enumerate(hay_words) if word in self._words)
        around = (chunk[max(0, place - 2 * LEAST) : place + 3 * LEAST] for place in places)
        return any(self._pieces & _windows(text, length) for text in around for length in _LENGTHS)

    def files_with(self, folder: Path) -> Iterator[Path]:
        """The files under `folder` that hold a piece in their content or their name."""
        for path in folder.rglob("*"):
            if self.found_in(str(path).encode(errors="replace")) or self._in_content(path):
                yield path

    def _in_content(self, path: Path) -> bool:
        return path.is_file() and not path.is_symlink() and self.found_in(path.read_bytes())


def _windows(text: bytes, length: int) -> set[bytes]:
    return {text[i : i + length] for i in range(len(text) - length + 1)}


def _spellings(secret: bytes) -> Iterator[tuple[bytes, int]]:
    """Each spelling, and how long a piece of 16 bytes is in it at the least."""
    yield secret, LEAST
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for offset in range(3):
            whole = secret[offset : len(secret) - (len(secret) - offset) % 3]
            yield encode(whole), _IN_BASE64
    yield secret.hex().encode(), _IN_HEX
    yield secret.hex().upper().encode(), _IN_HEX
