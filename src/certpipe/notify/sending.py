"""One attempt of one delivery: a POST, and what came of it. Whatever the receiver does, it ends in bounds."""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Final

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from certpipe.core.clock import Clock
from certpipe.core.ports.events import Told
from certpipe.core.ports.webhooks import EndpointOpener, Target
from certpipe.core.webhook_headers import is_reserved
from certpipe.notify.answers import excerpt, seconds_asked
from certpipe.notify.connecting import ForbiddenAddressError, Sessions, UnresolvedError
from certpipe.notify.signing import Signer
from schemas.webhooks import AttemptView

DEFAULT_TIMEOUT = 15.0
MOST_BYTES = 64 * 1024
"""Bytes of an answer that are read, so that its connection can serve again; above that it is closed."""

_ASKS_FOR_TIME = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


class SendError(StrEnum):
    """Why an attempt did not count: the closed set of `AttemptView.error`."""

    TIMEOUT = "timeout"
    UNRESOLVED = "name_not_found"
    REFUSED = "connection_refused"
    UNREACHABLE = "unreachable"
    TLS = "tls"
    FORBIDDEN = "forbidden_address"
    DISCONNECTED = "disconnected"
    REDIRECT = "redirect"
    STATUS = "status"
    BAD_ANSWER = "bad_answer"


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of an attempt. `retry_after`: seconds that the receiver asked for, a day at the most."""

    attempt: AttemptView
    retry_after: float | None = None

    @property
    def delivered(self) -> bool:
        """Whether the receiver has taken it: a 2xx."""
        return self.attempt.error is None

    @property
    def gone(self) -> bool:
        """Whether the receiver wants nothing more: a 410."""
        return self.attempt.status == HTTPStatus.GONE


class Signing:
    """The secrets of an endpoint, opened: what its deliveries are signed with, and its own headers.

    Good for one version of the endpoint. Cannot print itself.
    """

    def __init__(self, signer: Signer, headers: Mapping[str, str]) -> None:
        self.signer = signer
        self.headers = {name: value for name, value in headers.items() if not is_reserved(name)}

    @classmethod
    def of(cls, target: Target, opener: EndpointOpener) -> "Signing":
        """Open them. Raises `Rejected` when they cannot be."""
        previous = None if target.previous is None else opener.keys(target.id, target.previous)
        signer = Signer(opener.keys(target.id, target.sealed), previous, target.previous_until)
        return cls(signer, opener.headers(target.id, target.headers))


class Sender:
    """Sends. Never follows a redirect, and never lets the text of an exception out: it may quote what was sent."""

    def __init__(self, sessions: Sessions, clock: Clock, *, user_agent: str, timeout: float = DEFAULT_TIMEOUT) -> None:
        self._sessions = sessions
        self._clock = clock
        self._timeout = timeout
        self._user_agent = user_agent

    async def send(self, target: Target, signing: Signing, told: Told) -> Sent:
        """One attempt, of `timeout` seconds at the most. Raises nothing of the receiver's doing."""
        at, time = self._clock.now(), asyncio.get_running_loop().time
        began = time()
        body = told.event.body()
        headers = CIMultiDict(signing.headers)
        headers.update(signing.signer.headers(told.event.id, at, body))
        headers["Content-Type"] = "application/json"
        headers["User-Agent"] = self._user_agent
        exchange = await self._exchange(target.url, body, headers, began + self._timeout)
        attempt = AttemptView(
            at=at,
            status=exchange.status,
            milliseconds=round((time() - began) * 1000),
            error=exchange.error,
            excerpt=excerpt(exchange.content),
        )
        asked = exchange.retry_after if exchange.status in _ASKS_FOR_TIME else None
        return Sent(attempt, seconds_asked(asked, self._clock.now()))

    async def _exchange(self, url: str, body: bytes, headers: CIMultiDict[str], deadline: float) -> "_Exchange":
        try:
            async with asyncio.timeout_at(deadline):
                response = await self._post(URL(url), body, headers)
        except (OSError, ValueError, aiohttp.ClientError) as error:
            return _Exchange(error=_reason(error))
        try:
            return _Exchange(
                error=_judged(response.status),
                status=response.status,
                content=await _read(response, deadline),
                retry_after=response.headers.get("Retry-After"),
            )
        finally:
            response.release()

    async def _post(self, url: URL, body: bytes, headers: CIMultiDict[str]) -> aiohttp.ClientResponse:
        session = {"https": self._sessions.https, "http": self._sessions.http}.get(url.scheme)
        if session is None or url.raw_user is not None or url.raw_password is not None:
            raise ForbiddenAddressError("not https, or with a user")
        return await session.post(url, data=body, headers=headers, timeout=_NO_OTHER, allow_redirects=False)


_NO_OTHER = aiohttp.ClientTimeout(total=None, sock_connect=None)
"""The deadline of an attempt is one for all of it, and not the client's."""


@dataclass(frozen=True, slots=True)
class _Exchange:
    error: SendError | None
    status: int | None = None
    content: bytes = b""
    retry_after: str | None = None


def _judged(status: int) -> SendError | None:
    """Only a 2xx counts, whatever comes after its head."""
    match status // 100:
        case 2:
            return None
        case 3:
            return SendError.REDIRECT
        case 4 | 5:
            return SendError.STATUS
        case _:  # an upgrade that nobody asked for, or no status at all
            return SendError.BAD_ANSWER


async def _read(response: aiohttp.ClientResponse, deadline: float) -> bytes:
    """The beginning of an answer. One that is longer, slower or broken is left, together with its connection."""
    content = bytearray()
    try:
        if response.content.is_eof():  # it came whole, with its head
            return response.content.read_nowait(MOST_BYTES)
        async with asyncio.timeout_at(deadline):
            while len(content) <= MOST_BYTES:
                chunk = await response.content.readany()
                if not chunk:
                    return bytes(content)
                content += chunk
    except (OSError, aiohttp.ClientError):
        pass
    response.close()
    return bytes(content)


_REASONS: Final[tuple[tuple[type[Exception] | tuple[type[Exception], ...], SendError], ...]] = (
    ((ssl.SSLError, aiohttp.ClientSSLError), SendError.TLS),
    # ValueError: what is no address at all; the door lets none of them in.
    ((ForbiddenAddressError, ValueError), SendError.FORBIDDEN),
    (UnresolvedError, SendError.UNRESOLVED),
    (TimeoutError, SendError.TIMEOUT),
    (ConnectionRefusedError, SendError.REFUSED),
    ((aiohttp.ClientOSError, aiohttp.ServerDisconnectedError), SendError.DISCONNECTED),
    (aiohttp.ClientError, SendError.BAD_ANSWER),
    (OSError, SendError.UNREACHABLE),
)
"""The first that fits. An error of connecting is judged by its cause."""


def _reason(error: Exception) -> SendError:
    """One of a closed set, and nothing that the exception says."""
    cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return next(reason for kinds, reason in _REASONS if isinstance(cause, kinds))
