"""The key folder: which files there are, and reading one of them safely.

    <folder>/                          mode 0700
      sealing-keys.json                public: what GET /v1/sealing-keys answers
      intake-<id>.v<n>.key             private half of the intake key    (validate, encrypt)
      wrapping-<id>.v<n>.key           wraps the data keys at rest       (encrypt, forward)
      fingerprint-<id>.v<n>.key        HMAC of idempotency fingerprints  (ingress)
      webhook-key.json                 public: what secrets of webhook endpoints are sealed to  (ingress)
      webhook-<id>.v<n>.key            private half of the webhook key   (notify)

Each key file is 32 raw bytes, mode 0600; what there is to know about a key stands in its name, so that listing keys
reads none of them. A process needs only the files of its own line.
"""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

KEY_BYTES = 32
PUBLIC_DOCUMENT = "sealing-keys.json"
WEBHOOK_DOCUMENT = "webhook-key.json"
_MOST_PUBLIC_BYTES = 1_000_000
_NAME = re.compile(r"(intake|wrapping|fingerprint|webhook)-([0-9a-f]{8})\.v([1-9][0-9]{0,8})\.key")


class KeyFolderError(Exception):
    """A key file, or the folder, is not as it must be. The text names the path and the remedy."""


class KeyKind(StrEnum):
    """What a key is for; one key has one purpose."""

    INTAKE = "intake"
    WRAPPING = "wrapping"
    FINGERPRINT = "fingerprint"
    WEBHOOK = "webhook"


PUBLIC_DOCUMENTS: Mapping[KeyKind, str] = MappingProxyType(
    {KeyKind.INTAKE: PUBLIC_DOCUMENT, KeyKind.WEBHOOK: WEBHOOK_DOCUMENT}
)
"""The kinds whose public half is for others, and its file."""


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A private key file, known by its name. `key_id` is common to the versions of one key."""

    path: Path
    kind: KeyKind
    key_id: str
    version: int

    @property
    def kid(self) -> str:
        """The name of this very version."""
        return f"{self.key_id}.v{self.version}"


def key_files(folder: Path, kind: KeyKind | None = None) -> tuple[KeyFile, ...]:
    """The key files of a folder (of one kind, or all), newest version first. Opens none of them."""
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError as error:
        raise KeyFolderError(f"{folder}: {_reason(error)}; make the key folder with: certpipe keys init") from None
    found = [
        KeyFile(folder / match[0], KeyKind(match[1]), f"{match[1]}-{match[2]}", int(match[3]))
        for match in map(_NAME.fullmatch, names)
        if match and kind in (None, match[1])
    ]
    return tuple(sorted(found, key=lambda file: (file.kind, -file.version, file.key_id)))


def private_files(folder: Path, kind: KeyKind) -> tuple[KeyFile, ...]:
    """Those of one kind, newest version first; at least one. Raises `KeyFolderError`."""
    files = key_files(folder, kind)
    if not files:
        raise KeyFolderError(f"{folder}: there is no {kind} key; make one with: certpipe keys init")
    return files


def read_key(file: KeyFile) -> bytes:
    """The 32 bytes of a key file. Raises `KeyFolderError` when others may read it, own it, or its length is wrong."""
    return _read(file.path, forbidden=0o077, remedy="chmod 600", most=KEY_BYTES, exact=True)


def read_public(folder: Path, document: str = PUBLIC_DOCUMENT) -> bytes:
    """A public document. Raises `KeyFolderError`, also when others may write it: they could name a key of theirs."""
    return _read(folder / document, forbidden=0o022, remedy="chmod 644", most=_MOST_PUBLIC_BYTES, exact=False)


def load_fingerprint_key(folder: Path) -> bytes:
    """The current key of the idempotency fingerprints: 32 bytes. Raises `KeyFolderError`."""
    return read_key(private_files(folder, KeyKind.FINGERPRINT)[0])


def fault(path: Path, status: os.stat_result, *, forbidden: int, remedy: str) -> str | None:
    """Why a file is not to be trusted, with the remedy; None when it is. Looks at its status only."""
    if not stat.S_ISREG(status.st_mode):
        return f"{path}: not a regular file; restore it from a backup"
    if status.st_uid != os.geteuid():
        return f"{path}: owned by another user (uid {status.st_uid}); take it over with: chown {os.geteuid()} {path}"
    if status.st_mode & forbidden:
        return f"{path}: mode {stat.S_IMODE(status.st_mode):04o} is too open; close it with: {remedy} {path}"
    return None


def wrong_length(path: Path) -> str:
    """What is said of a key file that is not 32 bytes long."""
    return f"{path}: a key has {KEY_BYTES} bytes; restore the file from a backup"


def _read(path: Path, *, forbidden: int, remedy: str, most: int, exact: bool) -> bytes:
    try:
        # Non-blocking, so that a pipe in the folder cannot stop the process.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise KeyFolderError(f"{path}: {_reason(error)}; certpipe keys init makes what is missing") from None
    with open(descriptor, "rb") as opened:  # noqa: PTH123 - a descriptor, so that what was checked is what is read
        if told := fault(path, os.fstat(descriptor), forbidden=forbidden, remedy=remedy):
            raise KeyFolderError(told)
        content = opened.read(most + 1)
    if len(content) > most or (exact and len(content) != most):
        raise KeyFolderError(wrong_length(path) if exact else f"{path}: larger than {most} bytes; restore it")
    return content


def _reason(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
