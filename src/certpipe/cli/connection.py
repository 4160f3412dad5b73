"""Which server, and with which token: options first, then the environment, then what `make up` wrote down."""

import ipaddress
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from certpipe.cli.failure import CommandError
from certpipe.cli.files import read_text

NO_SERVER = "no server is known."
WHERE = "give --url, set CERTPIPE_URL, or start one here with: make up"


@dataclass(frozen=True, slots=True)
class Connection:
    """A server and what opens its doors. `parties`: the demo's party ids by kind, where `make up` made some."""

    url: str
    token: str | None = field(repr=False)
    parties: Mapping[str, str] = field(default_factory=dict)


def data_dir() -> Path:
    """The data folder."""
    return Path(os.environ.get("CERTPIPE_DATA_DIR") or ".certpipe")


def connect(url: str | None, token_file: Path | None) -> Connection:
    """Find address and token. The demo's token and parties are for the demo's address only, and go nowhere else."""
    demo = read_demo(data_dir())
    wanted = url or os.environ.get("CERTPIPE_URL") or demo.get("url")
    if not isinstance(wanted, str):
        raise CommandError(NO_SERVER, hint=WHERE)
    address = check_url(wanted)
    token = read_text(token_file, "token file").strip() if token_file else os.environ.get("CERTPIPE_TOKEN", "").strip()
    at_home = isinstance(demo.get("url"), str) and address == str(demo["url"]).rstrip("/")
    if not token and at_home:
        token = str(demo.get("token") or "")
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise CommandError(
            "the token is not a token: it holds spaces, line breaks or letters that no token has.",
            hint="a token file holds the token alone, on one line.",
        )
    parties = demo.get("parties")
    return Connection(address, token or None, parties if at_home and isinstance(parties, dict) else {})


def read_demo(folder: Path) -> dict[str, Any]:
    """What `make up` wrote into `dev.json`; empty when there is none."""
    path = folder / "dev.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except NotADirectoryError as error:
        raise CommandError(
            f"the data folder {folder} is not a folder.", hint="set CERTPIPE_DATA_DIR to a folder."
        ) from error
    except PermissionError as error:
        raise CommandError(
            f"{path} may not be read by this user.", hint="run as the user who ran make up, or set CERTPIPE_URL."
        ) from error
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} is damaged.", hint="delete it and run make up: it is written anew.") from error
    if not isinstance(found, dict):
        raise CommandError(f"{path} is damaged.", hint="delete it and run make up: it is written anew.")
    return found


def check_url(url: str) -> str:
    """The address without a slash at its end; refuses what is none, and what would send secrets in clear."""
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname
        parts.port  # noqa: B018 - reading it is the check
    except ValueError as error:
        raise CommandError("the address is not a URL.", hint="like https://certpipe.example.com") from error
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
        raise CommandError("the address is not a URL of a server.", hint="like https://certpipe.example.com")
    if parts.username is not None or parts.password is not None:
        raise CommandError("the address holds a user or a password.", hint="put the token into --token-file.")
    if parts.scheme == "http" and not _stays_here(host) and os.environ.get("CERTPIPE_ALLOW_HTTP") != "1":
        raise CommandError(
            f"http:// would send keys and passwords in clear to {host}.",
            hint="use https://, or set CERTPIPE_ALLOW_HTTP=1 inside a network that you trust.",
        )
    return url.strip().rstrip("/")


def _stays_here(host: str) -> bool:
    """Whether the host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def redact(url: str) -> str:
    """A URL as it may be shown: without user, password and parameters."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(not a URL)"
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
