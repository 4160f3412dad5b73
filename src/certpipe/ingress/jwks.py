"""The issuer's keys: a JWK set (RFC 7517) from a file, or held for a while from an address."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from certpipe.ingress.strictjson import parse_object

MOST_BYTES = 512 * 1024
LEAST_RSA_BITS = 2048


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key and the algorithms that are fixed by it."""

    key: RSAKey | ECKey | OKPKey = field(repr=False)
    algorithms: frozenset[str]


class KeySource(Protocol):
    """Where verifying keys come from."""

    async def find(self, kid: str | None) -> VerifyingKey | None:
        """The key of that name; without a name, the only key that there is. Raises `Unavailable` when there was
        never a set.
        """


@dataclass(frozen=True, slots=True)
class KeySet:
    """One JWK set. Keys that no allowed algorithm uses are left out, and so are secrets."""

    keys: Mapping[str | None, VerifyingKey]

    @classmethod
    def parse(cls, document: bytes) -> "KeySet":
        """Raises `ValueError` when it is no JWK set, names a key twice, or holds no key that could verify."""
        members = parse_object(document).get("keys") if len(document) <= MOST_BYTES else None
        if not isinstance(members, list):
            raise ValueError("not a JWK set")  # noqa: TRY004 - one kind of error for every bad document
        keys: dict[str | None, VerifyingKey] = {}
        for member in members:
            key = _verifying(member)
            if key is None:
                continue
            if member.get("kid") in keys:
                raise ValueError("two keys of one name")
            keys[member.get("kid")] = key
        if not keys:
            raise ValueError("no key that could verify a token")
        return cls(MappingProxyType(keys))

    def find(self, kid: str | None) -> VerifyingKey | None:
        """By name; without one, only where there is no choice."""
        if kid is None and len(self.keys) == 1:
            return next(iter(self.keys.values()))
        return None if kid is None else self.keys.get(kid)


class JwksFile:
    """A JWK set in a file, read once at the start."""

    def __init__(self, path: Path) -> None:
        try:
            self._set = KeySet.parse(path.read_bytes())
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    async def find(self, kid: str | None) -> VerifyingKey | None:
        return self._set.find(kid)


def _verifying(member: Any) -> VerifyingKey | None:
    """A JWK as a verifying key, or None when it is of another use or kind."""
    if not isinstance(member, dict) or not isinstance(member.get("kid"), str | None):
        return None
    if member.get("use", "sig") != "sig" or "verify" not in member.get("key_ops", ["verify"]):
        return None
    try:
        found = _typed(member)
        alg = member.get("alg")
        allowed = found.algorithms & {alg} if found and alg is not None else found and found.algorithms
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    return VerifyingKey(found.key, allowed) if found and allowed else None


def _typed(member: dict[str, Any]) -> VerifyingKey | None:
    """One kind of key, one algorithm (Ed25519 goes by two names: RFC 8037 and RFC 9864)."""
    match member.get("kty"), member.get("crv"):
        case "OKP", "Ed25519":
            public = {name: member[name] for name in ("kty", "crv", "x")}
            return VerifyingKey(_loaded(OKPKey.import_key(public)), frozenset({"EdDSA", "Ed25519"}))
        case "EC", "P-256":
            public = {name: member[name] for name in ("kty", "crv", "x", "y")}
            return VerifyingKey(_loaded(ECKey.import_key(public)), frozenset({"ES256"}))
        case "RSA", _:
            key = RSAKey.import_key({name: member[name] for name in ("kty", "n", "e")})
            return VerifyingKey(key, frozenset({"RS256"})) if key.raw_value.key_size >= LEAST_RSA_BITS else None
        case _:
            return None


def _loaded(key: ECKey | OKPKey) -> ECKey | OKPKey:
    """The key, read at once: a point off its curve is found here and not at the first token."""
    _ = key.raw_value
    return key
