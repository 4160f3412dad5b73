"""Secrets of webhook endpoints: made and sealed by one half, opened by the other, bound to endpoint and purpose."""

import base64
import traceback
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from certpipe.core.errors import Rejected
from certpipe.core.ids import uuid7
from certpipe.core.ports.webhooks import EndpointOpener, EndpointSealer, SealedText
from certpipe.crypto.endpoint_opening import HpkeEndpointOpener
from certpipe.crypto.endpoint_sealing import HpkeEndpointSealer

KID = "webhook-0a0b0c0d.v1"
ENDPOINT = uuid7()
HEADERS = {"Authorization": "Bearer top-secret-value", "X-Empty": ""}


@pytest.fixture
def private() -> X25519PrivateKey:
    return X25519PrivateKey.generate()


@pytest.fixture
def sealer(private: X25519PrivateKey) -> EndpointSealer:
    return HpkeEndpointSealer(KID, private.public_key())


@pytest.fixture
def opener(private: X25519PrivateKey) -> EndpointOpener:
    return HpkeEndpointOpener({KID: private})


def sealed_by_hand(content: bytes, info: str, public_key: X25519PublicKey) -> SealedText:
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    return SealedText(KID, suite.encrypt(content, public_key, info.encode()))


def test_what_is_shown_once_belongs_to_what_notify_opens(sealer: EndpointSealer, opener: EndpointOpener) -> None:
    new = sealer.new_keys(ENDPOINT)
    keys = opener.keys(ENDPOINT, new.sealed)
    assert new.secret == f"whsec_{base64.b64encode(keys.hmac).decode()}"
    public = Ed25519PrivateKey.from_private_bytes(keys.ed25519).public_key().public_bytes_raw()
    assert new.public_key == f"whpk_{base64.b64encode(public).decode()}"
    assert (len(keys.hmac), len(keys.ed25519)) == (32, 32)


def test_no_two_endpoints_share_a_key(sealer: EndpointSealer, opener: EndpointOpener) -> None:
    opened = [opener.keys(ENDPOINT, sealer.new_keys(ENDPOINT).sealed) for _ in range(4)]
    assert len({key for keys in opened for key in (keys.hmac, keys.ed25519)}) == 8


def test_headers_come_out_as_they_went_in(sealer: EndpointSealer, opener: EndpointOpener) -> None:
    for headers in ({}, HEADERS):
        sealed = sealer.seal_headers(ENDPOINT, headers)
        assert opener.headers(ENDPOINT, sealed) == headers
        assert b"top-secret" not in sealed.ciphertext


def test_the_binding_is_as_it_is_described(private: X25519PrivateKey, opener: EndpointOpener) -> None:
    info = f"certpipe/endpoint/v1|{KID}|headers|{ENDPOINT}"
    assert opener.headers(ENDPOINT, sealed_by_hand(b'{"A": "b"}', info, private.public_key())) == {"A": "b"}


def test_what_belongs_to_another_endpoint_or_purpose_is_not_opened(
    sealer: EndpointSealer, opener: EndpointOpener
) -> None:
    keys, headers = sealer.new_keys(ENDPOINT).sealed, sealer.seal_headers(ENDPOINT, HEADERS)
    for opening in (
        lambda: opener.keys(uuid7(), keys),
        lambda: opener.headers(uuid7(), headers),
        lambda: opener.keys(ENDPOINT, headers),
        lambda: opener.headers(ENDPOINT, keys),
    ):
        with pytest.raises(Rejected, match=r"^endpoint_unopenable$"):
            opening()


@pytest.mark.parametrize("position", [0, 31, 32, -1])
def test_a_changed_byte_is_noticed(sealer: EndpointSealer, opener: EndpointOpener, position: int) -> None:
    sealed = sealer.new_keys(ENDPOINT).sealed
    damaged = bytearray(sealed.ciphertext)
    damaged[position] ^= 1
    with pytest.raises(Rejected, match=r"^endpoint_unopenable$"):
        opener.keys(ENDPOINT, replace(sealed, ciphertext=bytes(damaged)))


@pytest.mark.parametrize("ciphertext", [b"", b"x", bytes(32), bytes(96)])
def test_what_was_never_sealed_is_rejected(opener: EndpointOpener, ciphertext: bytes) -> None:
    with pytest.raises(Rejected, match=r"^endpoint_unopenable$"):
        opener.keys(ENDPOINT, SealedText(KID, ciphertext))


@pytest.mark.parametrize("kid", ["webhook-0a0b0c0d.v2", "", "ñ", "webhook-0a0b0c0d.v1 "])
def test_an_unknown_key_is_told_apart(sealer: EndpointSealer, opener: EndpointOpener, kid: str) -> None:
    with pytest.raises(Rejected, match=r"^webhook_key_missing$"):
        opener.keys(ENDPOINT, replace(sealer.new_keys(ENDPOINT).sealed, kid=kid))


@pytest.mark.parametrize("content", [b"", b"[]", b'{"A": 1}', b"\xff", b"[" * 100_000, b'"text"'])
def test_sealed_headers_that_are_none_are_rejected_and_not_quoted(
    private: X25519PrivateKey, opener: EndpointOpener, content: bytes
) -> None:
    sealed = sealed_by_hand(content, f"certpipe/endpoint/v1|{KID}|headers|{ENDPOINT}", private.public_key())
    with pytest.raises(Rejected) as caught:
        opener.headers(ENDPOINT, sealed)
    assert caught.value.__context__ is None


def test_sealed_keys_of_another_length_are_rejected_and_not_quoted(
    private: X25519PrivateKey, opener: EndpointOpener
) -> None:
    sealed = sealed_by_hand(b"K" * 63, f"certpipe/endpoint/v1|{KID}|keys|{ENDPOINT}", private.public_key())
    with pytest.raises(Rejected) as caught:
        opener.keys(ENDPOINT, sealed)
    assert "KKK" not in "".join(traceback.format_exception(caught.value))


def test_nothing_secret_can_be_printed(sealer: EndpointSealer, opener: EndpointOpener) -> None:
    new = sealer.new_keys(ENDPOINT)
    keys = opener.keys(ENDPOINT, new.sealed)
    shown = f"{new!r} {keys!r} {sealer!r} {opener!r} {new.sealed!r}"
    assert new.secret not in shown
    assert not any(part in shown for key in (keys.hmac, keys.ed25519) for part in (repr(key), key.hex()))


def test_the_public_document_holds_no_private_byte(folder: Path) -> None:
    (private,) = folder.glob("webhook-*.key")
    document = (folder / "webhook-key.json").read_text("utf-8")
    for encoded in (private.read_bytes().hex(), base64.urlsafe_b64encode(private.read_bytes()).decode().rstrip("=")):
        assert encoded not in document
