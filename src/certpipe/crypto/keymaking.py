"""`certpipe keys init`: the first keys of an installation."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from certpipe.crypto.keyfiles import KEY_BYTES, PUBLIC_DOCUMENTS, KeyFile, KeyFolderError, KeyKind, key_files, read_key
from certpipe.crypto.sealing import public_jwk
from schemas.sealing import SealingKeysDocument


def init_keys(folder: Path) -> tuple[Path, ...]:
    """Make what is missing in a key folder, and the folder (mode 0700); returns the files that were made.

    Never overwrites a file, and is safe when several processes do it at once or one of them dies on the way. Where a
    public document exists without its private key, that half lives elsewhere: none is made.
    Raises `KeyFolderError`.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(folder):
            return (*_missing_keys(folder), *_missing_documents(folder))
    except OSError as error:
        raise KeyFolderError(
            f"{folder}: {(error.strerror or type(error).__name__).lower()}; choose a folder that this user may write "
            "with: certpipe keys init --keys-dir FOLDER"
        ) from None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One maker at a time; the lock ends with its process."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _missing_keys(folder: Path) -> list[Path]:
    present = {file.kind for file in key_files(folder)}
    present |= {kind for kind, document in PUBLIC_DOCUMENTS.items() if (folder / document).exists()}
    made = []
    for kind in KeyKind:
        if kind not in present:
            path = folder / f"{kind}-{secrets.token_hex(4)}.v1.key"
            # Any 32 random bytes are an X25519 private key (RFC 7748 §5).
            _create(path, secrets.token_bytes(KEY_BYTES), mode=0o600)
            made.append(path)
    return made


def _missing_documents(folder: Path) -> list[Path]:
    missing = {kind: folder / name for kind, name in PUBLIC_DOCUMENTS.items() if not (folder / name).exists()}
    for kind, path in missing.items():
        keys = tuple(public_jwk(file, _public_bytes(file), _created(file)) for file in key_files(folder, kind))
        # Producers are told of older keys, too; secrets of endpoints are sealed to the newest alone.
        document = SealingKeysDocument(current=keys[0].kid, keys=keys) if kind is KeyKind.INTAKE else keys[0]
        _create(path, document.model_dump_json(indent=2).encode() + b"\n", mode=0o644)
    return [*missing.values()]


def _public_bytes(file: KeyFile) -> bytes:
    return X25519PrivateKey.from_private_bytes(read_key(file)).public_key().public_bytes_raw()


def _created(file: KeyFile) -> datetime:
    return datetime.fromtimestamp(int(file.path.stat().st_mtime), UTC)


def _create(path: Path, content: bytes, *, mode: int) -> None:
    """Appears whole or not at all, and never in the place of another file."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with open(descriptor, "wb") as opened:  # noqa: PTH123 - a descriptor made with O_EXCL and its final mode
            opened.write(content)
            opened.flush()
            os.fsync(descriptor)
        os.link(draft, path)
    finally:
        draft.unlink()
