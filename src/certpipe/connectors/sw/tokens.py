"""The bearer token: fetched once for all who wait, kept until shortly before it expires, given up when refused."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from yarl import URL

from certpipe.connectors.sw import problems
from certpipe.connectors.sw.answers import Answer, refused_login, seconds_to_wait, spoken, success
from certpipe.connectors.sw.transport import Transport
from certpipe.core.clock import Clock
from certpipe.core.errors import AccountRefused, CertpipeError, Unavailable
from certpipe.core.problems import Problem

REMEMBER_REFUSAL = timedelta(seconds=60)
"""How long credentials that were refused are not tried again, so that no account gets locked."""

_MARGIN = timedelta(seconds=60)
_NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token and the instant from which it is not used any more; None: until it is refused."""

    text: str = field(repr=False)
    use_until: datetime | None = None

    def usable(self, now: datetime) -> bool:
        """Whether it still has time."""
        return self.use_until is None or now < self.use_until


@dataclass(frozen=True, slots=True)
class Credentials:
    """Either a user with a password, or a token that does not expire."""

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)


class Tokens:
    """The token of one account. Every method raises `Unavailable` when there is none to be had."""

    def __init__(self, services: URL, credentials: Credentials, transport: Transport, clock: Clock) -> None:
        self._url = services / "v2/security/authenticate"
        self._credentials = credentials
        self._transport = transport
        self._clock = clock
        self._token = Token(credentials.token.strip()) if credentials.token else None
        self._refused: tuple[datetime, Problem] | None = None
        self._flight: asyncio.Task[Token | Unavailable] | None = None

    async def current(self) -> Token:
        """The token in the cache, or a new one."""
        now = self._clock.now()
        self._raise_if_refused(now)
        if self._token is not None and self._token.usable(now):
            return self._token
        return await self._fetch()

    async def renewed(self, rejected: Token) -> Token | None:
        """A token other than the rejected one; whoever comes second gets what the first one fetched.

        None where there is but one that was given.
        """
        self._raise_if_refused(self._clock.now())
        if self._token is not None and self._token is not rejected:
            return self._token
        return None if self._credentials.token else await self._fetch()

    def forget(self, rejected: Token) -> None:
        """A fresh one was refused, too: the next who asks gets another."""
        if self._token is rejected and not self._credentials.token:
            self._token = None

    def forget_refusal(self) -> None:
        """The credentials are good again, as far as is known. Of a login that is under way nothing is remembered."""
        self._refused = None
        self._flight = None

    def _refusal(self, problem: Problem) -> AccountRefused:
        """Remember that the credentials do not work; the error to raise."""
        if asyncio.current_task() is self._flight:
            self._refused = (self._clock.now() + REMEMBER_REFUSAL, problem)
            self._token = None
        return AccountRefused(problem, retry_after=REMEMBER_REFUSAL.total_seconds())

    def _raise_if_refused(self, now: datetime) -> None:
        if self._refused is None:
            return
        until, problem = self._refused
        if now < until:
            raise AccountRefused(problem, retry_after=(until - now).total_seconds())
        self._refused = None

    async def _fetch(self) -> Token:
        """One request for all who ask meanwhile; who is cancelled leaves the others their answer."""
        if self._flight is None or self._flight.done():
            self._flight = asyncio.create_task(self._authenticate(), name="sw-authenticate")
        outcome = await asyncio.shield(self._flight)
        if isinstance(outcome, Unavailable):  # to each an error of its own
            raise type(outcome)(*outcome.problems, retry_after=outcome.retry_after)
        return outcome

    async def _authenticate(self) -> Token | Unavailable:
        """Returns its failure, so that none is lost when nobody waits any more."""
        body = json.dumps({"user": self._credentials.user, "password": self._credentials.password}).encode()
        try:
            answer = await self._transport.exchange("POST", self._url, body, _NO_HEADERS)
        except CertpipeError:
            return Unavailable(problems.AWAY)
        if refused_login(answer):
            return self._refusal(spoken(problems.CREDENTIALS, answer))
        return self._kept(answer)

    def _kept(self, answer: Answer) -> Token | Unavailable:
        now = self._clock.now()
        try:
            data = success(answer, now).get("data")
        except CertpipeError as problem:
            return Unavailable(*problem.problems, retry_after=seconds_to_wait(answer.retry_after, now))
        token = token_in(data, now)
        if token is None:
            return self._refusal(problems.UNREADABLE)
        self._token = token
        return token


def token_in(data: Any, now: datetime) -> Token | None:
    """The token of an answer's `data`, or None when there is none.

    `expires_in` is the epoch second of the expiry, not a duration. One that is missing, unreadable or past (a clock
    that is wrong, here or there) leaves the token in use until it is refused.
    """
    text = data.get("token") if isinstance(data, dict) else None
    if not isinstance(text, str) or not text.strip() or not text.isascii() or not text.isprintable():
        return None
    return Token(text.strip(), _use_until(data.get("expires_in"), now))


def _use_until(expires_in: Any, now: datetime) -> datetime | None:
    try:
        expiry = datetime.fromtimestamp(int(expires_in), tz=now.tzinfo)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    left = expiry - now
    return expiry - min(_MARGIN, left / 2) if left > timedelta() else None
