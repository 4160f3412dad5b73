"""An issuer for tests, which can also write tokens that no issuer would."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc.jwk import ECKey, OKPKey, RSAKey

from certpipe.ingress.jwks import KeySet, VerifyingKey

ISSUER, AUDIENCE, NOW = "https://issuer.test", "certpipe", 1_780_272_000
ED_PRIVATE = Ed25519PrivateKey.generate()
ED = OKPKey.import_key(ED_PRIVATE, {"kid": "ed"})
EC = ECKey.generate_key("P-256", {"kid": "ec"})
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
OTHER = OKPKey.generate_key("Ed25519", {"kid": "other"})
SET = json.dumps({"keys": [key.as_dict(private=False) for key in (ED, EC, RSA)]}).encode()
CLAIMS: Mapping[str, Any] = {
    "iss": ISSUER,
    "aud": AUDIENCE,
    "sub": "olivia",
    "iat": NOW,
    "exp": NOW + 600,
    "scope": "certs:write ops:act",
}
HEADER: Mapping[str, Any] = {"alg": "EdDSA", "typ": "at+jwt", "kid": "ed"}


class Fixed:
    """A key source over one set."""

    def __init__(self, document: bytes = SET) -> None:
        self._set = KeySet.parse(document)

    def replace(self, document: bytes) -> None:
        self._set = KeySet.parse(document)

    async def find(self, kid: str | None) -> VerifyingKey | None:
        return self._set.find(kid)


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: str, payload: str, key: Any = ED) -> str:
    """A JWS over these very texts, whatever they are."""
    message = f"{b64(header.encode())}.{b64(payload.encode())}"
    return f"{message}.{b64(key.raw_value.sign(message.encode()))}"


def token(header: Mapping[str, Any] = {}, *, key: Any = ED, without: str = "", **claims: Any) -> str:
    """A good token but for these changes, signed by an Ed25519 key."""
    body = {name: value for name, value in {**CLAIMS, **claims}.items() if name != without}
    return signed(json.dumps({**HEADER, **header}), json.dumps(body), key)


def respelled(text: str) -> str:
    """The same token with a spare bit of its last character set: a loose decoder reads the same bytes."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) ^ 1]


def hs256(secret: bytes, kid: str) -> str:
    """Algorithm confusion: a public key taken for a shared secret."""
    header = json.dumps({"alg": "HS256", "typ": "at+jwt", "kid": kid})
    message = f"{b64(header.encode())}.{b64(json.dumps(dict(CLAIMS)).encode())}"
    return f"{message}.{b64(hmac.digest(secret, message.encode(), hashlib.sha256))}"


def unsigned(alg: str) -> str:
    header = json.dumps({"alg": alg, "typ": "at+jwt", "kid": "ed"})
    return f"{b64(header.encode())}.{b64(json.dumps(dict(CLAIMS)).encode())}."
