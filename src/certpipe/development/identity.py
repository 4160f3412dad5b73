"""Who may ask, on a developer's machine: an issuer of tokens with one key in a folder. Production has its own."""

import json
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

from certpipe.core.clock import Clock, SystemClock
from certpipe.development.files import write_private
from certpipe.settings import DEVELOPMENT_ISSUER
from schemas.directory import OPERATOR_SCOPE

ISSUER = DEVELOPMENT_ISSUER
AUDIENCE = "certpipe"
ALGORITHM = "ES256"


@dataclass(frozen=True, slots=True)
class Identity:
    """Signs access tokens (RFC 9068). `jwks` is the public half, for whoever checks them.

    Issuer and audience are by default those that the settings expect by default.
    """

    jwks: Path
    _key: ECKey = field(repr=False)
    issuer: str = ISSUER
    audience: str = AUDIENCE
    clock: Clock = field(default_factory=SystemClock)

    @classmethod
    def open(cls, folder: Path, *, issuer: str = ISSUER, audience: str = AUDIENCE) -> "Identity":
        """The identity in `folder`, made on the first call.

        Raises:
            PermissionError: others could read the signing key; the text names the remedy.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file, jwks = folder / "signing-key.json", folder / "jwks.json"
        if not file.exists():
            fresh = ECKey.generate_key("P-256", {"use": "sig", "alg": ALGORITHM}, private=True, auto_kid=True)
            write_private(file, json.dumps(fresh.as_dict(private=True)))
        if stat.S_IMODE(file.stat().st_mode) & 0o077:
            raise PermissionError(f"{file} is open to others: chmod 600 {file}")
        key = ECKey.import_key(json.loads(file.read_text(encoding="utf-8")))
        write_private(jwks, json.dumps({"keys": [key.as_dict(private=False)]}))
        return cls(jwks=jwks, _key=key, issuer=issuer, audience=audience)

    def token(self, subject: str, *, operator: bool, lifetime: timedelta) -> str:
        """A signed token for `subject`, valid from now on."""
        now = int(self.clock.now().timestamp())
        claims: Mapping[str, Any] = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject,
            "iat": now,
            "exp": now + int(lifetime.total_seconds()),
            **({"scope": OPERATOR_SCOPE} if operator else {}),
        }
        header = {"alg": ALGORITHM, "kid": self._key.kid, "typ": "at+jwt"}
        return jwt.encode(header, dict(claims), self._key, algorithms=[ALGORITHM])
