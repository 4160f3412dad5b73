"""One account at SW: its addresses, its token, its one connection pool."""

import copy
from datetime import datetime
from http import HTTPStatus
from typing import Self

import aiohttp
from yarl import URL

from certpipe.connectors.sw import problems
from certpipe.connectors.sw.answers import Answer, spoken
from certpipe.connectors.sw.tokens import REMEMBER_REFUSAL, Credentials, Token, Tokens
from certpipe.connectors.sw.transport import Transport
from certpipe.core.clock import Clock
from certpipe.core.errors import AccountRefused
from certpipe.core.patience import ANSWER
from certpipe.core.problems import Problem


class SwSession:
    """What the connectors to SW share.

    Raises `ValueError` when an address is none.

    Attributes:
        services: base address of stamping and the CSD vault.
        api: base address of management and Efisco.
        timeout: seconds for one exchange, from asking for a connection to the last byte of the answer.
    """

    def __init__(
        self,
        *,
        services_url: str,
        api_url: str,
        credentials: Credentials,
        http: aiohttp.ClientSession,
        clock: Clock,
        timeout: float = ANSWER,
    ) -> None:
        self.services = _base(services_url)
        self.api = _base(api_url)
        self._clock = clock
        self._transport = Transport(http, timeout=timeout)
        self._tokens = Tokens(self.services, credentials, self._transport, clock)
        self._refused: tuple[datetime, Problem] | None = None
        self._forgot = 0

    def for_one_service(self) -> Self:
        """The same account, for one of its services: what that one refuses is held against no other."""
        return copy.copy(self)  # it is made before anything was refused

    def now(self) -> datetime:
        """The present instant."""
        return self._clock.now()

    def forget_refusal(self) -> None:
        """What was refused of this service, and logins of all services. What is under way is not remembered either."""
        self._refused = None
        self._forgot += 1
        self._tokens.forget_refusal()

    async def send(self, url: URL, body: bytes) -> Answer:
        """POST something that changes what SW holds. Raises `Unavailable` or `Uncertain`; a 401 never comes back."""
        return await self._authorized("POST", url, body)

    async def read(self, method: str, url: URL) -> Answer:
        """Ask something that changes nothing. Raises `Unavailable` only; a 401 never comes back."""
        return await self._authorized(method, url, None)

    async def _authorized(self, method: str, url: URL, body: bytes | None) -> Answer:
        """A 401 is answered with one new token and one repetition: it says that nothing was done.

        A second one is remembered, so that the account is not hammered.
        """
        self._raise_if_refused()
        forgot = self._forgot
        token = await self._tokens.current()
        answer = await self._once(method, url, body, token)
        if answer.status != HTTPStatus.UNAUTHORIZED:
            return answer
        if (fresh := await self._tokens.renewed(token)) is not None:
            answer = await self._once(method, url, body, fresh)
            if answer.status != HTTPStatus.UNAUTHORIZED:
                return answer
            self._tokens.forget(fresh)
        problem = spoken(problems.CREDENTIALS, answer)
        if forgot == self._forgot:
            self._refused = self.now() + REMEMBER_REFUSAL, problem
        raise AccountRefused(problem, retry_after=REMEMBER_REFUSAL.total_seconds())

    def _raise_if_refused(self) -> None:
        if self._refused is None:
            return
        until, problem = self._refused
        left = (until - self.now()).total_seconds()
        if left > 0:
            raise AccountRefused(problem, retry_after=left)
        self._refused = None

    async def _once(self, method: str, url: URL, body: bytes | None, token: Token) -> Answer:
        headers = {"Authorization": f"Bearer {token.text}"}
        if body is None:
            return await self._transport.read(method, url, headers)
        return await self._transport.exchange(method, url, body, headers)


def _base(url: str) -> URL:
    """A base address of SW. Raises `ValueError` when it is none, so that it is found at start."""
    base = URL(url.strip())
    if base.scheme not in {"http", "https"} or not base.host or base.user or base.password or base.query_string:
        raise ValueError("an address of SW must be like https://services.sw.com.mx, without user or parameters")
    return base
