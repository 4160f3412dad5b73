"""Reading what the caller names: every way in which that fails is a sentence."""

import sys
from pathlib import Path

import typer

from certpipe.cli.failure import CommandError

MOST_BYTES = 64 * 1024
MOST_TEXT = 16 * 1024


def read_bytes(path: Path, what: str, *, most: int = MOST_BYTES) -> bytes:
    """The whole file, at most `most` bytes and at least one; `what` names it in the message."""
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except FileNotFoundError as error:
        raise CommandError(f"the {what} {path} does not exist.", hint="look for a typing error in the path.") from error
    except IsADirectoryError as error:
        raise CommandError(f"the {what} {path} is a folder.", hint="name the file itself.") from error
    except PermissionError as error:
        raise CommandError(f"the {what} {path} may not be read by this user.", hint=f"see: ls -l {path}") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise CommandError(f"the {what} {path} cannot be read: {reason}.", hint="look at the path.") from error
    if not content:
        raise CommandError(f"the {what} {path} is empty.", hint="name another, or download it again.")
    if len(content) > most:
        raise CommandError(
            f"the {what} {path} has more than {most // 1024} KiB.",
            hint="SAT's files have about 1 to 3 KiB; look whether this is the right one.",
        )
    return content


def read_text(path: Path, what: str) -> str:
    """The file as text: UTF-8, or windows-1252 as old tools write it."""
    return decode(read_bytes(path, what, most=MOST_TEXT), f"{what} {path}")


def decode(content: bytes, what: str) -> str:
    """UTF-8 (with or without a byte-order mark), else windows-1252."""
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise CommandError(f"the {what} is not text.", hint="save it as UTF-8.")


def read_password(*, from_stdin: bool, file: Path | None) -> str:
    """The password of the private key: from standard input, a file, or a prompt; never from the arguments.

    One line break at the end is no part of it.
    """
    if from_stdin and file:
        raise CommandError("--password-stdin and --password-file are one too many.", hint="give one of them.")
    if file:
        return _one_line(read_text(file, "password file"))
    if from_stdin:
        if sys.stdin is None or sys.stdin.closed:
            raise CommandError("standard input is closed.", hint="pipe the password in, or use --password-file.")
        try:
            content = sys.stdin.buffer.read(MOST_TEXT)
        except (OSError, ValueError) as error:
            raise CommandError(
                "standard input cannot be read.", hint="pipe the password in, or use --password-file."
            ) from error
        return _one_line(decode(content, "password on standard input"))
    if not is_terminal(sys.stdin):
        raise CommandError(
            "no password was given, and there is no terminal to ask on.",
            hint="pipe it in with --password-stdin, or name a file with --password-file.",
        )
    return _one_line(str(typer.prompt("Contraseña / password", hide_input=True, default="", show_default=False)))


def is_terminal(stream: object) -> bool:
    """Whether a person sits at the other end; false for a closed or missing stream."""
    try:
        return bool(stream.isatty())  # type: ignore[attr-defined]
    except (AttributeError, ValueError):
        return False


def _one_line(text: str) -> str:
    password = text.removesuffix("\n").removesuffix("\r")
    if not password:
        raise CommandError(
            "La contraseña está vacía. / The password is empty.", hint="it is the one of the private key (.key)."
        )
    return password
