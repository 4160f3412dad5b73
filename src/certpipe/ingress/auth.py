"""Who is asking: a bearer JWT, checked by joserfc and by what joserfc leaves to its caller (RFC 8725, RFC 9068)."""

import base64
import binascii
import hashlib
import math
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning

from certpipe.core.clock import Clock
from certpipe.ingress.jwks import KeySource, VerifyingKey
from certpipe.ingress.strictjson import is_clean, parse_object
from schemas.directory import OPERATOR_SCOPE

MOST_BYTES = 8 * 1024
MOST_SUBJECT = 255
MOST_PROVED = 1_000
# An ID token is `JWT` too; it does not pass, because its audience is the client and never this service.
TYPES = frozenset({"at+jwt", "application/at+jwt", "jwt"})
# Headers by which a sender would choose the key or the rules of its own check.
FOREIGN_HEADERS = frozenset({"jku", "jwk", "x5u", "x5c", "crit", "b64", "zip"})
_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class UnauthenticatedError(Exception):
    """Nobody whom we know. The text is for our log; the sender is told no details."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A proved sender. What it may do in an organization stands in the directory, not in the token."""

    subject: str
    operator: bool


@dataclass(frozen=True, slots=True)
class _Proved:
    """What is remembered of a token, so that its next request costs no signature."""

    principal: Principal
    kid: str | None
    key: VerifyingKey
    expires: float


class Authenticator(Protocol):
    """Proves the sender of a request."""

    async def authenticate(self, authorizations: Sequence[str]) -> Principal:
        """The sender, by all `Authorization` headers of the request. Raises `UnauthenticatedError`, `Unavailable`."""


@dataclass(frozen=True, slots=True)
class JwtAuthenticator:
    """Bearer JWTs of one issuer for one audience.

    Attributes:
        keys: the issuer's keys; `kid` is nothing but a name in that set.
        issuer: the exact `iss`.
        audience: the exact `aud`: that string, or a list of it alone.
        clock: tells the time.
        most_lifetime: seconds from `iat` (or from now, where it is missing) to `exp` that are believed.
        leeway: by how much the clocks may differ.
    """

    keys: KeySource
    issuer: str
    audience: str
    clock: Clock
    most_lifetime: timedelta = timedelta(hours=1)
    leeway: timedelta = timedelta(seconds=30)
    _proved: dict[bytes, _Proved] = field(default_factory=dict, init=False, repr=False, compare=False)

    async def authenticate(self, authorizations: Sequence[str]) -> Principal:
        token = _bearer(authorizations)
        digest = hashlib.sha256(token.encode()).digest()
        known = self._proved.get(digest)
        if known is not None and await self._still(known):
            return known.principal
        header = _header(token)
        key = await self.keys.find(header.get("kid"))
        if key is None:
            raise UnauthenticatedError("no such key")
        claims = _verified(token, header, key)
        expires = self._check(claims)
        principal = _principal(claims)
        if len(self._proved) >= MOST_PROVED:
            self._proved.clear()
        self._proved[digest] = _Proved(principal, header.get("kid"), key, expires)
        return principal

    async def _still(self, known: _Proved) -> bool:
        """Whether a token that was proved before has neither expired nor lost its key."""
        fresh = self.clock.now().timestamp() < known.expires + self.leeway.total_seconds()
        return fresh and await self.keys.find(known.kid) is known.key

    def _check(self, claims: Mapping[str, Any]) -> float:
        """When the token expires."""
        if claims.get("iss") != self.issuer:
            raise UnauthenticatedError("another issuer")
        if claims.get("aud") not in (self.audience, [self.audience]):
            raise UnauthenticatedError("another audience")
        now, leeway = self.clock.now().timestamp(), self.leeway.total_seconds()
        expires = _instant(claims, "exp")
        if expires is None:
            raise UnauthenticatedError("no exp")
        if expires + leeway <= now:
            raise UnauthenticatedError("expired")
        issued, not_before = _instant(claims, "iat"), _instant(claims, "nbf")
        if max(issued or 0.0, not_before or 0.0) > now + leeway:
            raise UnauthenticatedError("from the future")
        if expires - (now if issued is None else issued) > self.most_lifetime.total_seconds() + leeway:
            raise UnauthenticatedError("lives too long")
        return expires


def _bearer(authorizations: Sequence[str]) -> str:
    """The token of the one header that there must be."""
    if len(authorizations) != 1:
        raise UnauthenticatedError(f"{len(authorizations)} Authorization headers")
    scheme, _, token = authorizations[0].partition(" ")
    if scheme.lower() != "bearer" or len(token) > MOST_BYTES or not _TOKEN.fullmatch(token):
        raise UnauthenticatedError("not a bearer JWT")
    return token


def _decoded(segment: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except (binascii.Error, ValueError):
        raise UnauthenticatedError("not base64url") from None


def _header(token: str) -> Mapping[str, Any]:
    try:
        header = parse_object(_decoded(token.partition(".")[0]))
    except ValueError:
        raise UnauthenticatedError("unreadable header") from None
    typ, kid = header.get("typ"), header.get("kid")
    if not isinstance(typ, str) or typ.lower() not in TYPES:
        raise UnauthenticatedError("not an access token by its typ")
    if FOREIGN_HEADERS & header.keys():
        raise UnauthenticatedError("a header that is not taken")
    if kid is not None and not isinstance(kid, str):
        raise UnauthenticatedError("kid is no string")
    return header


def _verified(token: str, header: Mapping[str, Any], key: VerifyingKey) -> Mapping[str, Any]:
    """The claims, once the signature is proved by an algorithm that the key allows."""
    if header.get("alg") not in key.algorithms:
        raise UnauthenticatedError("an algorithm that this key does not allow")
    try:
        with warnings.catch_warnings():
            # RFC 9864 renames `EdDSA`; issuers still write the old name, for the same signature.
            warnings.simplefilter("ignore", SecurityWarning)
            signed = jws.deserialize_compact(token, key.key, algorithms=list(key.algorithms))
        return parse_object(signed.payload)
    except (JoseError, ValueError):
        raise UnauthenticatedError("not signed by this key, or no claims inside") from None


def _instant(claims: Mapping[str, Any], name: str) -> float | None:
    """A NumericDate: a finite number, not a string and not a boolean."""
    value = claims.get(name)
    if value is None and name not in claims:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UnauthenticatedError(f"{name} is no instant")
    return float(value)


def _principal(claims: Mapping[str, Any]) -> Principal:
    subject, scope = claims.get("sub"), claims.get("scope", "")
    if not isinstance(subject, str) or not 0 < len(subject) <= MOST_SUBJECT:
        raise UnauthenticatedError("no subject")
    if not subject.isprintable() or not is_clean(subject):
        raise UnauthenticatedError("unprintable subject")
    if not isinstance(scope, str):
        raise UnauthenticatedError("scope is no string")
    return Principal(subject, operator=OPERATOR_SCOPE in scope.split(" "))
