"""Posting a webhook from this machine to a developer's receiver."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from certpipe.cli.failure import CommandError

PATIENCE = 15.0
"""Seconds: as long as the service itself waits for a receiver."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a receiver did. `error`: why there is no status."""

    status: int | None
    milliseconds: int
    error: str | None = None

    @property
    def taken(self) -> bool:
        """2xx alone says so."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - HTTP

    def words(self) -> str:
        """For people."""
        return f"{self.status or self.error}  {self.milliseconds} ms"

    def view(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Receiver:
    """A receiver at `url`. Redirects are not followed: they are answers like any other."""

    session: aiohttp.ClientSession
    url: str

    async def post(self, headers: Mapping[str, str], body: bytes) -> Outcome:
        """Never raises for what the receiver or the network does."""
        begun = time.monotonic()
        status, error = None, None
        try:
            headers = {"Content-Type": "application/json", "User-Agent": "certpipe", **headers}
            async with self.session.post(self.url, headers=headers, data=body, allow_redirects=False) as response:
                status = response.status
        except TimeoutError:
            error = f"no answer in {PATIENCE:.0f} seconds"
        except aiohttp.ClientConnectorCertificateError:
            error = "its TLS certificate is not trusted here"
        except aiohttp.ClientConnectorError as cause:
            error = cause.os_error.strerror or "no connection"
        except (aiohttp.ClientError, OSError):
            error = "the connection broke off"
        return Outcome(status, round((time.monotonic() - begun) * 1000), error)


def receiver_address(text: str) -> str:
    """The receiver's address, as it is. Raises `CommandError` when it cannot be one."""
    try:
        parts = urlsplit(text.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"} or not text.isprintable():
        raise CommandError("the receiver's address is not a URL.", hint="like http://127.0.0.1:3000/webhooks")
    if parts.username is not None or parts.password is not None:
        raise CommandError("the receiver's address holds a user or a password.", hint="leave them out.")
    return text.strip()


@asynccontextmanager
async def open_receiver(url: str) -> AsyncIterator[Receiver]:
    """A receiver for the time of a `with`."""
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=False, cookie_jar=aiohttp.DummyCookieJar()) as session:
        yield Receiver(session, url)
