"""Tokens: two ways to get one, one way to show it."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from aiohttp import web

from certpipe.core.clock import Clock
from certpipe.simulators.sw import bodies, envelopes

MOST_TOKENS = 10_000
TITLE = "Autenticación"


@dataclass(frozen=True, slots=True)
class Account:
    """Who may come in. Without a user, every pair of user and password that is not empty is good."""

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    infinite_token: str | None = field(default=None, repr=False)
    token_seconds: int = 7_200


class Auth:
    """`POST /v2/security/authenticate` (JSON), `POST /security/authenticate` (headers), and the bearer check."""

    def __init__(self, account: Account, clock: Clock) -> None:
        self._account = account
        self._clock = clock
        self._tokens: dict[str, int] = {}

    async def authenticate(self, request: web.Request) -> web.StreamResponse:
        """The documented form: user and password in a JSON object."""
        try:
            body = await bodies.json_object(request, TITLE)
        except bodies.RefusedError as refused:
            return refused.response
        return self._answer(body.get("user"), body.get("password"))

    async def authenticate_by_headers(self, request: web.Request) -> web.StreamResponse:
        """The old form: user and password in plain headers."""
        return self._answer(request.headers.get("user"), request.headers.get("password"))

    def admits(self, headers: Mapping[str, str]) -> bool:
        """Whether the bearer token is known and has not expired; the scheme's case does not matter."""
        scheme, _, token = headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return False
        infinite = self._account.infinite_token
        if infinite is not None and secrets.compare_digest(token.encode(), infinite.encode()):
            return True
        return self._tokens.get(token, 0) > self._clock.now().timestamp()

    def _answer(self, user: object, password: object) -> web.StreamResponse:
        if not self._knows(user, password):
            return envelopes.error(401, envelopes.BAD_CREDENTIALS)  # the text is documented, the 401 invented
        token = ".".join(secrets.token_urlsafe(length) for length in (24, 48, 32))
        expiry = int((self._clock.now() + timedelta(seconds=self._account.token_seconds)).timestamp())
        while len(self._tokens) >= MOST_TOKENS:
            del self._tokens[next(iter(self._tokens))]
        self._tokens[token] = expiry
        # `tokeny_type` is how the documentation spells it.
        return envelopes.success({"token": token, "expires_in": expiry, "tokeny_type": "Bearer"})

    def _knows(self, user: object, password: object) -> bool:
        if not (isinstance(user, str) and user and isinstance(password, str) and password):
            return False
        account = self._account
        return account.user is None or (user, password) == (account.user, account.password)
