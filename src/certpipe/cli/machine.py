"""What `certpipe doctor` looks at on this machine."""

import base64
import binascii
import json
import os
import stat
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from certpipe.cli.findings import Finding, ok, skipped, warning, wrong
from certpipe.cli.problems import clean
from certpipe.core.hygiene import is_dumpable, leave_no_core
from certpipe.crypto.keyfiles import PUBLIC_DOCUMENTS, KeyFolderError, KeyKind, key_files, read_key, read_public
from certpipe.development.folder import VERSION
from certpipe.sat.trust import Anchors, AnchorsError
from certpipe.settings import LOG_LEVELS, Environment, Settings

OLDEST_PYTHON = (3, 11)
SOON = timedelta(minutes=5)


def examine(settings: Settings, token: str | None, now: datetime) -> Sequence[Finding]:
    """Everything that needs no network."""
    return (
        _python(sys.version_info[:3]),
        _data_folder(settings.data_dir),
        _keys(settings.keys),
        _anchors(settings.extra_anchors),
        _cores(),
        _log_level(settings),
        token_expiry(token, now),
    )


def _python(version: tuple[int, ...]) -> Finding:
    found = ".".join(map(str, version))
    if version < OLDEST_PYTHON:
        return wrong("python", found, "install Python 3.11 or newer, and run make setup again.")
    return ok("python", found)


def _data_folder(folder: Path) -> Finding:
    name = "data folder"
    try:
        status = folder.stat()
    except FileNotFoundError:
        return skipped(name, f"{folder} is not there yet; make up makes it")
    except OSError as error:
        return wrong(name, f"{folder}: {error.strerror}", "look at the folders above it: ls -ld")
    if not stat.S_ISDIR(status.st_mode):
        return wrong(name, f"{folder} is not a folder", "set CERTPIPE_DATA_DIR to a folder.")
    return _folder_contents(name, folder, status)


def _folder_contents(name: str, folder: Path, status: os.stat_result) -> Finding:
    if status.st_uid != os.geteuid() or not os.access(folder, os.R_OK | os.X_OK):
        return wrong(name, f"{folder} belongs to another user", "run as that user, or set CERTPIPE_DATA_DIR.")
    file = folder / "VERSION"
    found = file.read_text(encoding="ascii", errors="replace").strip()[:20] if file.is_file() else VERSION
    if found != VERSION:
        return wrong(
            name,
            f"{folder} is of version {clean(found)}, not {VERSION}",
            "run the certpipe that made it, or set CERTPIPE_DATA_DIR.",
        )
    if status.st_mode & 0o077:
        return warning(name, f"{folder} has mode {stat.S_IMODE(status.st_mode):04o}", f"chmod 700 {folder}")
    return ok(name, str(folder))


def _keys(folder: Path) -> Finding:
    name = "keys"
    try:
        if not folder.exists():
            return skipped(name, f"{folder} is not there; certpipe keys init makes it")
        files = key_files(folder)
        missing = [kind.value for kind in KeyKind if kind not in {file.kind for file in files}]
        for file in files:
            read_key(file)
        for document in PUBLIC_DOCUMENTS.values():
            read_public(folder, document)
    except OSError as error:  # of a folder above
        return wrong(name, f"{folder}: {(error.strerror or '').lower()}", "run as the user whose keys they are.")
    except KeyFolderError as error:
        found, _, remedy = str(error).partition("; ")
        return wrong(name, found, remedy or "certpipe keys init makes what is missing.")
    if missing:
        return warning(
            name, f"no {', '.join(missing)} key in {folder}", "right for some roles; else: certpipe keys init"
        )
    return ok(name, f"{len(files)} key files in {folder}, closed to others")


def _anchors(extra: Path | None) -> Finding:
    name = "SAT anchors"
    try:
        anchors = Anchors.packaged()
        if extra:
            anchors = anchors.with_extra(extra.read_text(encoding="utf-8"))
    except AnchorsError as error:
        found, _, remedy = str(error).rpartition(": ")
        return wrong(name, found or str(error), remedy)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        return wrong(
            name, f"CERTPIPE_EXTRA_ANCHORS ({extra}): {reason}", "set it to a JSON file of anchors, or unset it."
        )
    return ok(name, f"{sum(map(len, anchors.by_name.values()))} authorities")


def _cores() -> Finding:
    leave_no_core()
    if is_dumpable():
        return wrong("core dumps", "a process here cannot forbid them", "look at the container's seccomp profile.")
    return ok("core dumps", "can be forbidden, and every process does")


def _log_level(settings: Settings) -> Finding:
    level, name = settings.log_level.upper(), "log level"
    if level not in LOG_LEVELS:
        return wrong(name, "CERTPIPE_LOG_LEVEL is no level", f"one of {', '.join(LOG_LEVELS)}.")
    if level == "DEBUG" and settings.environment is Environment.PRODUCTION:
        return warning(name, level, "set CERTPIPE_LOG_LEVEL=INFO in production.")
    return ok(name, level)


def token_expiry(token: str | None, now: datetime) -> Finding:
    """How long the token still lives, by what it says of itself; its signature is the server's to check."""
    name, renew = "token", "issue a new one: certpipe token (development), or ask your identity provider."
    if not token:
        return skipped(name, "none is configured")
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        expires = datetime.fromtimestamp(float(claims["exp"]), UTC)
    except (IndexError, KeyError, TypeError, ValueError, OverflowError, OSError, binascii.Error):
        return wrong(name, "it is not a JWT with an expiry", renew)
    if expires <= now:
        return wrong(name, f"expired at {expires:%Y-%m-%d %H:%M} UTC", renew)
    if expires - now < SOON:
        return warning(name, f"expires at {expires:%H:%M:%S} UTC", renew)
    return ok(name, f"valid until {expires:%Y-%m-%d %H:%M} UTC")
