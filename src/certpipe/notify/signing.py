"""Signatures by the Standard Webhooks specification 1.0.0: `v1` (HMAC-SHA256) and `v1a` (Ed25519).

What is signed is `<webhook-id>.<webhook-timestamp>.<body>`; several signatures stand in a list, for rotation.
"""

import base64
import binascii
import hmac
from collections.abc import Iterator
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from certpipe.core.ports.webhooks import SigningKeys

SECRET_PREFIX = "whsec_"  # noqa: S105 - what a secret begins with
_BYTES_OF_SECRETS = range(24, 65)


class Signer:
    """Signs with the current keys, and with the previous ones until their time. Cheap to use, dear to make: keep it."""

    def __init__(
        self, current: SigningKeys, previous: SigningKeys | None = None, previous_until: datetime | None = None
    ) -> None:
        self._current = _Pair(current)
        self._previous = _Pair(previous) if previous and previous_until else None
        self._until = previous_until

    def headers(self, event_id: str, at: datetime, body: bytes) -> dict[str, str]:
        """The three headers of one attempt. `at`: its time, aware."""
        timestamp = str(int(at.timestamp()))
        content = f"{event_id}.{timestamp}.".encode() + body
        signatures = [*self._current.signatures(content)]
        if self._previous and self._until and at < self._until:
            signatures += self._previous.signatures(content)
        return {"webhook-id": event_id, "webhook-timestamp": timestamp, "webhook-signature": " ".join(signatures)}


class _Pair:
    """Keys, ready to sign. Cannot print them."""

    def __init__(self, keys: SigningKeys) -> None:
        self._hmac = keys.hmac
        self._ed25519 = Ed25519PrivateKey.from_private_bytes(keys.ed25519)

    def signatures(self, content: bytes) -> Iterator[str]:
        yield f"v1,{base64.b64encode(hmac.digest(self._hmac, content, 'sha256')).decode()}"
        yield f"v1a,{base64.b64encode(self._ed25519.sign(content)).decode()}"


def secret_bytes(secret: str) -> bytes:
    """The HMAC key of a `whsec_…`. Raises `ValueError`, which never quotes it."""
    try:
        key = base64.b64decode(secret.strip().removeprefix(SECRET_PREFIX).encode(), validate=True)
    except (binascii.Error, UnicodeError):
        key = b""
    if len(key) not in _BYTES_OF_SECRETS:
        raise ValueError(f"a secret is {SECRET_PREFIX} and base64 of 24 to 64 bytes")
    return key
