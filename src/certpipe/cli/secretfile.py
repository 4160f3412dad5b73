"""Secrets of webhooks (`whsec_…`, Standard Webhooks): in files of mode 0600, made before there is anything to lose."""

import base64
import hmac
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from certpipe.cli.connection import data_dir
from certpipe.cli.failure import CommandError
from certpipe.cli.files import read_text
from certpipe.core.ports.webhooks import SigningKeys
from certpipe.notify.signing import SECRET_PREFIX, secret_bytes

DEFAULT = "webhook.secret"


@dataclass(frozen=True, slots=True)
class LocalSecret:
    """A secret that this machine signs with. `file`: where it is kept, if anywhere; `made`: nobody knows it yet."""

    text: str = field(repr=False)
    file: Path | None
    made: bool

    def keys(self) -> SigningKeys:
        """What signs: the secret itself, and an Ed25519 key that follows from it."""
        key = secret_bytes(self.text)
        return SigningKeys(key, hmac.digest(key, b"certpipe: Ed25519 of a local secret", "sha256"))


def new_secret() -> LocalSecret:
    """A fresh secret of 32 bytes, kept nowhere."""
    return LocalSecret(SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode(), None, made=True)


def local_secret(file: Path | None) -> LocalSecret:
    """The secret of that file, which is made when it is missing; without a file, that of the data folder.

    Where there is no data folder either, a fresh one that is kept nowhere.
    """
    if file is None and not data_dir().is_dir():
        return new_secret()
    file = file or data_dir() / DEFAULT
    if file.exists():
        return LocalSecret(_checked(read_text(file, "secret file").strip(), file), file, made=False)
    fresh = new_secret()
    with new_file(file) as write:
        write(fresh.text)
    return LocalSecret(fresh.text, file, made=True)


@contextmanager
def new_file(file: Path) -> Iterator[Callable[[str], None]]:
    """A file that nobody else may read, there before the `with` begins, gone after it when nothing was written.

    Never writes over a file: the secret in it may be the only copy.
    """
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise CommandError(f"the secret file {file} exists already.", hint="name another; it may be needed.") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise CommandError(f"the secret file {file} cannot be made: {reason}.", hint="look at the path.") from error
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        try:
            yield lambda text: print(text, file=stream, flush=True)
        finally:
            if os.fstat(stream.fileno()).st_size == 0:
                file.unlink(missing_ok=True)


def _checked(text: str, file: Path) -> str:
    try:
        secret_bytes(text)
    except ValueError as error:
        raise CommandError(
            f"the secret file {file} holds no secret of a webhook.",
            hint=f"it is {SECRET_PREFIX} and base64; delete the file, and a fresh one is made.",
        ) from error
    return text
