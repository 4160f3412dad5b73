"""Vectors for foreign producers: fixed inputs, and the box that must come out of them."""

import base64
import json
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from certpipe.core.uploads import Box, BoxBinding
from certpipe.crypto.opening import BoxOpener
from schemas.upload import SealFormat
from tests.unit.crypto.comparing import members
from tests.unit.crypto.independent import GOLDEN, Vector


@pytest.mark.parametrize("name", ["hpke.json", "jwe.json"])
def test_the_vectors_are_what_the_rfcs_make_of_their_inputs(name: str) -> None:
    assert (GOLDEN / name).read_text("utf-8") == Vector().files()[name]


@pytest.mark.parametrize("name", ["hpke.json", "jwe.json"])
def test_our_opener_opens_the_vectors(name: str) -> None:
    vector = json.loads((GOLDEN / name).read_text("utf-8"))
    format_ = SealFormat(vector["format"])
    text = vector["ciphertext"]
    ciphertext = base64.b64decode(text) if format_ is SealFormat.HPKE else text.encode()
    opener = BoxOpener({vector["kid"]: X25519PrivateKey.from_private_bytes(bytes.fromhex(vector["private_key_hex"]))})
    binding = BoxBinding(UUID(vector["upload_id"]), UUID(vector["organization_id"]))
    opened = members(opener.open(Box(format_, vector["kid"], ciphertext), binding))
    assert opened == (b"0\x82\x01", b"0\x82\x02", 'Ñandú "12345678a"')
