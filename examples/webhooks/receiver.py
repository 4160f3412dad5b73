# ruff: noqa: INP001, T201 - a script to copy, not a module; it prints what it gets
"""Receive certpipe's webhooks: verify each delivery, and answer 204.

    WEBHOOK_KEYS=whsec_... python receiver.py 8000

WEBHOOK_KEYS: one or more `whsec_` secrets with spaces between, so that an old one may overlap. Standard library only.
(v1a, Ed25519, needs a library: `Ed25519PublicKey.from_public_bytes(key).verify(signature, content)` of `cryptography`.)
"""

import base64
import hmac
import json
import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOLERANCE_SECONDS = 300
MOST_BYTES = 1_000_000


def verified(secrets: Sequence[str], headers: Mapping[str, str], body: bytes) -> bool:
    """Whether one of the signatures is by one of the secrets, and the delivery is recent. `body`: as it came."""
    sent_at = headers.get("webhook-timestamp") or ""
    if not re.fullmatch("[0-9]{1,12}", sent_at) or abs(time.time() - int(sent_at)) > TOLERANCE_SECONDS:
        return False
    content = f"{headers.get('webhook-id')}.{sent_at}.".encode() + body
    given = (headers.get("webhook-signature") or "").split(" ")
    for secret in secrets:
        mac = hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), content, "sha256")
        wanted = b"v1," + base64.b64encode(mac)
        if any(hmac.compare_digest(wanted, signature.encode()) for signature in given):
            return True
    return False


def handle(delivery_id: str, event: dict[str, object]) -> None:
    """Your work, done once: deliveries come at least once, in any order.

    Insert the id into a table with a unique key, in the transaction of your work; if it was there already, do nothing.
    What takes longer than a few seconds belongs into a queue of yours: after 15 seconds a delivery counts as failed.
    """
    print(delivery_id, event["type"], flush=True)


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 when the delivery is ours for good; any other answer lets certpipe try again."""

    def do_POST(self) -> None:
        """One delivery. A body that is longer than `MOST_BYTES` is cut, and so does not verify."""
        length = self.headers.get("content-length") or ""
        body = self.rfile.read(min(int(length), MOST_BYTES) if re.fullmatch("[0-9]{1,12}", length) else 0)
        good = verified(SECRETS, self.headers, body)
        if good:
            handle(self.headers["webhook-id"], json.loads(body))
        self.send_response(204 if good else 401)
        self.end_headers()


SECRETS = os.environ.get("WEBHOOK_KEYS", "").split()
if __name__ == "__main__":
    if not SECRETS:
        sys.exit("WEBHOOK_KEYS is not set")
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
