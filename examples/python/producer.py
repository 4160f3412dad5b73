# ruff: noqa: INP001 - a script to copy, not a module
r"""Publish one sealed upload to certpipe over AMQP, and print the answer.

    AMQP_URL=amqp://user:secret@broker:5672/ python producer.py --certpipe https://certpipe.example \
        --organization UUID --party UUID --kind fiel --certificate my.cer --key my.key < password.txt

Needs `pip install pika "cryptography>=47"`. Exits 0 when the upload was accepted, 1 when it was refused or failed.
"""

import argparse
import base64
import json
import os
import secrets
import sys
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
ANSWER_WITHIN_SECONDS = 60


def sealing_key(certpipe: str) -> dict[str, str]:
    """The public key to seal to, as a JWK."""
    with urllib.request.urlopen(f"{certpipe}/v1/sealing-keys", timeout=30) as answer:  # noqa: S310 - the caller's URL
        document = json.load(answer)
    return next(key for key in document["keys"] if key["kid"] == document["current"])


def seal(bundle: dict[str, str], key: dict[str, str], upload_id: str, organization_id: str) -> dict[str, str]:
    """The bundle as an HPKE box that opens for this upload of this organization only."""
    public_key = X25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "="))
    info = f"certpipe/seal/v1|{key['kid']}|{upload_id}|{organization_id}".encode()
    box = SUITE.encrypt(json.dumps(bundle).encode(), public_key, info)
    return {"format": "hpke", "kid": key["kid"], "ciphertext": base64.b64encode(box).decode()}


def publish(url: str, message: dict[str, Any]) -> dict[str, Any]:
    """Publish, and wait for the answer. An error of pika means that certpipe did not get the message."""
    import pika  # noqa: PLC0415 - a dry run needs no broker

    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        channel = connection.channel()
        channel.confirm_delivery()  # basic_publish now raises when the message was not routed or not taken
        replies = channel.queue_declare("", exclusive=True).method.queue
        channel.basic_publish(
            "certpipe.uploads",
            "upload",
            json.dumps(message).encode(),
            pika.BasicProperties(
                content_type="application/json",
                delivery_mode=pika.DeliveryMode.Persistent,
                user_id=unquote(urlsplit(url).username or "guest"),  # the broker checks it; it names the organization
                reply_to=replies,
                correlation_id=message["upload_id"],
            ),
            mandatory=True,
        )
        for _, properties, body in channel.consume(replies, auto_ack=True, inactivity_timeout=ANSWER_WITHIN_SECONDS):
            if body is None:
                sys.exit("no answer yet; publish again with the same --upload-id: it is the same upload")
            if properties.correlation_id == message["upload_id"]:
                break
        return json.loads(body)
    finally:
        connection.close()


def uuid7() -> str:
    """A UUIDv7 (RFC 9562): certpipe lists uploads in the order of their ids."""
    value = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    return str(uuid.UUID(int=value & ~(0xF << 76) & ~(0x3 << 62) | 0x7 << 76 | 0x2 << 62))


def arguments() -> argparse.Namespace:
    """The command line. The password is never part of it: other users of the machine could read it."""
    parser = argparse.ArgumentParser(description="Publish one sealed upload to certpipe over AMQP.")
    for name in ("certpipe", "organization", "party"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--kind", required=True, choices=["fiel", "csd"])
    for name in ("certificate", "key"):
        parser.add_argument(f"--{name}", required=True, type=Path)
    parser.add_argument("--password-file", type=Path, help="default: standard input")
    parser.add_argument("--upload-id", default=uuid7(), help="the same id again is the same upload")
    parser.add_argument("--dry-run", action="store_true", help="print the message instead of publishing it")
    return parser.parse_args()


def main() -> None:
    """Seal, publish, print the answer."""
    given = arguments()
    password = given.password_file.read_text("utf-8") if given.password_file else sys.stdin.read()
    bundle = {
        "certificate": base64.b64encode(given.certificate.read_bytes()).decode(),
        "private_key": base64.b64encode(given.key.read_bytes()).decode(),
        "password": password.removesuffix("\n").removesuffix("\r"),
    }
    message = {
        "version": 1,
        "upload_id": given.upload_id,
        "party_id": given.party,
        "kind": given.kind,
        "sealed": seal(bundle, sealing_key(given.certpipe), given.upload_id, given.organization),
    }
    if given.dry_run:
        answer = message
    elif url := os.environ.get("AMQP_URL"):
        answer = publish(url, message)
    else:
        sys.exit("AMQP_URL is not set")
    print(json.dumps(answer, indent=2, ensure_ascii=False))  # noqa: T201 - this is what the program is for
    sys.exit(0 if given.dry_run or answer["accepted"] else 1)


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # noqa: BLE001 - one line: a traceback helps nobody, and may quote the URL
        sys.exit(f"{type(error).__name__}: {str(error) or repr(error)}")
