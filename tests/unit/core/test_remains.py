import json

import pytest

from certpipe.core.remains import MOST_BYTES, remains

SECRET = "s3cr3t-Nandu-0123"
BOX = {"format": "hpke", "kid": "intake-1", "ciphertext": "ZW5jIHx8IGN0"}
GOOD = {"version": 1, "upload_id": "0199", "party_id": "0198", "kind": "csd", "follow": False}


def test_plain_members_and_the_box_are_kept() -> None:
    body = json.dumps({**GOOD, "sealed": BOX}).encode()
    assert remains(body) == {**GOOD, "sealed": BOX, "bytes": len(body)}


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({**GOOD, "clear": {"password": SECRET}}).encode(),
        json.dumps({**GOOD, "password": SECRET}).encode(),
        json.dumps({"kind": SECRET * 20}).encode(),
        json.dumps({"kind": {"x": SECRET}, "sealed": {**BOX, "password": SECRET}}).encode(),
        json.dumps({"sealed": {**BOX, "kid": [SECRET]}}).encode(),
        json.dumps([SECRET]).encode(),
        SECRET.encode(),
        json.dumps({"clear": SECRET}).encode("utf-16"),
        b'{"kind": "csd", "clear": "' + SECRET.encode(),
        b'{"cle\\u0061r": "' + SECRET.encode() + b'"}',
        b'{"kind": "' + SECRET.encode() + b' \\ud800"}',
        b'{"kind": "csd", "x": "' + SECRET.encode() * MOST_BYTES + b'"}',
        b"[" * 200_000 + SECRET.encode(),
    ],
    ids=range(13),
)
def test_nothing_else_is(body: bytes) -> None:
    kept = remains(body)
    assert SECRET not in repr(kept)
    assert kept["bytes"] == len(body)
    json.dumps(kept, ensure_ascii=False).encode()
