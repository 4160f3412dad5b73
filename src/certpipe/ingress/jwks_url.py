"""A JWK set at an address, held for a while: an issuer that is away, or a sender of made-up key names, stops nobody."""

import asyncio
import ipaddress
import logging
from datetime import datetime, timedelta

import aiohttp
from yarl import URL

from certpipe.core.clock import Clock
from certpipe.core.errors import Unavailable
from certpipe.core.problems import Problem
from certpipe.ingress.jwks import MOST_BYTES, KeySet, VerifyingKey
from schemas.status import Actor

LOG = logging.getLogger(__name__)
KEYS_AWAY = Problem(
    "signing_keys_unavailable",
    "No se pueden obtener las llaves del emisor de tokens; intente más tarde",
    "The token issuer's keys cannot be had; try again later",
    actor=Actor.OPERATOR,
    status=503,
)


class JwksUrl:
    """Fetches at most once at a time, with `If-None-Match`, and keeps the last good set while the issuer is away.

    Attributes:
        address: https, or http on a loopback address.
        clock: tells the time.
        time_to_live: how long a set is taken without asking again.
        cooldown: the least time between two fetches once there is a set, whatever key names are asked for.
        most_stale: how long the last good set serves while every fetch fails.
        timeout: of one fetch.
    """

    def __init__(
        self,
        address: str,
        clock: Clock,
        *,
        time_to_live: timedelta = timedelta(minutes=5),
        cooldown: timedelta = timedelta(seconds=30),
        most_stale: timedelta = timedelta(hours=24),
        timeout: timedelta = timedelta(seconds=5),
    ) -> None:
        self._address = URL(address)
        if not _is_safe(self._address):
            raise ValueError("the JWKS address must be https, or http on a loopback address, without user and password")
        self._clock = clock
        self._time_to_live, self._cooldown, self._most_stale = time_to_live, cooldown, most_stale
        self._timeout = aiohttp.ClientTimeout(total=timeout.total_seconds())
        self._flight = asyncio.Lock()
        self._set: KeySet | None = None
        self._etag: str | None = None
        self._fetched: datetime | None = None
        self._tried: datetime | None = None

    async def find(self, kid: str | None) -> VerifyingKey | None:
        if not self._younger(self._time_to_live) and not (self._set and self._flight.locked()):
            await self._refresh()
        found = self._held().find(kid)
        if found is None:
            await self._refresh()
            found = self._held().find(kid)
        return found

    def _held(self) -> KeySet:
        if self._set is None or not self._younger(self._most_stale):
            raise Unavailable(KEYS_AWAY, retry_after=5.0)
        return self._set

    def _younger(self, age: timedelta) -> bool:
        return self._fetched is not None and self._clock.now() - self._fetched < age

    async def _refresh(self) -> None:
        """One fetch for all who ask at this time, unless there was one a moment ago."""
        async with self._flight:
            pause = self._cooldown if self._set else timedelta(seconds=1)
            if self._tried is not None and self._clock.now() - self._tried < pause:
                return
            self._tried = self._clock.now()
            try:
                await self._fetch()
            except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
                LOG.warning("the JWK set could not be fetched (%s); the last good one stays", type(error).__name__)

    async def _fetch(self) -> None:
        headers = {"Accept": "application/jwk-set+json, application/json"}
        if self._etag:
            headers["If-None-Match"] = self._etag
        async with (
            aiohttp.ClientSession(timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar()) as session,
            session.get(self._address, headers=headers, allow_redirects=False) as answer,
        ):
            if answer.status != 304 or self._set is None:  # noqa: PLR2004 - Not Modified
                if answer.status != 200:  # noqa: PLR2004 - OK
                    raise ValueError(f"status {answer.status}")
                self._set = KeySet.parse(await _capped(answer.content))
                self._etag = answer.headers.get("ETag")
            self._fetched = self._clock.now()


async def _capped(content: aiohttp.StreamReader) -> bytes:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > MOST_BYTES:
            raise ValueError("the document is too long")
    return bytes(body)


def _is_safe(address: URL) -> bool:
    if not address.host or address.user or address.password:
        return False
    if address.scheme == "https":
        return True
    try:
        loopback = address.host == "localhost" or ipaddress.ip_address(address.host).is_loopback
    except ValueError:
        loopback = False
    return address.scheme == "http" and loopback
