"""What we sign, the public library verifies; what was changed, is old or foreign, it refuses."""

import base64
import os
import traceback
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from standardwebhooks import Webhook, WebhookVerificationError

from certpipe.core.ids import uuid7
from certpipe.core.ports.webhooks import SigningKeys
from certpipe.crypto.endpoint_sealing import HpkeEndpointSealer
from certpipe.notify.signing import Signer, secret_bytes

BODY = '{"type":"certificate.stored","message":"El certificado se guardó"}'.encode()
ID = "evt_0190f0d0a0a07000800000000000abcd_4"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def keys() -> SigningKeys:
    return SigningKeys(os.urandom(32), os.urandom(32))


@pytest.fixture
def other() -> SigningKeys:
    return SigningKeys(os.urandom(32), os.urandom(32))


def secret(keys: SigningKeys) -> str:
    return f"whsec_{base64.b64encode(keys.hmac).decode()}"


def public_key(keys: SigningKeys) -> Ed25519PublicKey:
    return Ed25519PrivateKey.from_private_bytes(keys.ed25519).public_key()


def now() -> datetime:
    """The library's own clock: there is no telling it another time."""
    return datetime.now(UTC)


def verify_v1a(public: Ed25519PublicKey, body: bytes, headers: dict[str, str]) -> None:
    """As the specification says, by another hand. Raises `InvalidSignature`."""
    content = b".".join((headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body))
    entries = [entry.split(",") for entry in headers["webhook-signature"].split(" ")]
    for version, signature in entries:
        if version == "v1a":
            try:
                return public.verify(base64.b64decode(signature, validate=True), content)
            except InvalidSignature:
                continue
    raise InvalidSignature


def test_the_public_library_verifies_what_we_sign(keys: SigningKeys) -> None:
    headers = Signer(keys).headers(ID, now(), BODY)
    assert Webhook(secret(keys)).verify(BODY, headers) == {
        "type": "certificate.stored",
        "message": "El certificado se guardó",
    }
    verify_v1a(public_key(keys), BODY, headers)


def test_the_secret_that_is_shown_once_verifies() -> None:
    new = HpkeEndpointSealer("webhook-0a0b0c0d.v1", X25519PrivateKey.generate().public_key()).new_keys(uuid7())
    headers = Signer(SigningKeys(secret_bytes(new.secret), os.urandom(32))).headers(ID, now(), BODY)
    Webhook(new.secret).verify(BODY, headers)


def test_the_headers_are_those_of_the_specification(keys: SigningKeys) -> None:
    headers = Signer(keys).headers(ID, LONG_AGO, BODY)
    assert list(headers) == ["webhook-id", "webhook-timestamp", "webhook-signature"]
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == (ID, "1577836800")
    assert [entry.partition(",")[0] for entry in headers["webhook-signature"].split(" ")] == ["v1", "v1a"]


def test_the_timestamp_is_the_same_instant_in_every_zone(keys: SigningKeys) -> None:
    elsewhere = LONG_AGO.astimezone(timezone(timedelta(hours=-6)))
    assert Signer(keys).headers(ID, elsewhere, BODY) == Signer(keys).headers(ID, LONG_AGO, BODY)


@pytest.mark.parametrize("position", [0, 10, -1])
def test_a_changed_byte_is_refused(keys: SigningKeys, position: int) -> None:
    headers = Signer(keys).headers(ID, now(), BODY)
    changed = bytearray(BODY)
    changed[position] ^= 1
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(secret(keys)).verify(bytes(changed), headers)
    with pytest.raises(InvalidSignature):
        verify_v1a(public_key(keys), bytes(changed), headers)


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp"])
def test_a_changed_id_or_timestamp_is_refused(keys: SigningKeys, header: str) -> None:
    headers = Signer(keys).headers(ID, now(), BODY)
    headers[header] = headers[header][:-1] + ("1" if headers[header][-1] != "1" else "2")
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(secret(keys)).verify(BODY, headers)
    with pytest.raises(InvalidSignature):
        verify_v1a(public_key(keys), BODY, headers)


@pytest.mark.parametrize(("minutes", "told"), [(-6, "too old"), (6, "too new")])
def test_another_time_is_refused(keys: SigningKeys, minutes: int, told: str) -> None:
    headers = Signer(keys).headers(ID, now() + timedelta(minutes=minutes), BODY)
    with pytest.raises(WebhookVerificationError, match=told):
        Webhook(secret(keys)).verify(BODY, headers)


def test_a_foreign_secret_is_refused(keys: SigningKeys, other: SigningKeys) -> None:
    headers = Signer(keys).headers(ID, now(), BODY)
    with pytest.raises(WebhookVerificationError, match="No matching signature"):
        Webhook(secret(other)).verify(BODY, headers)
    with pytest.raises(InvalidSignature):
        verify_v1a(public_key(other), BODY, headers)


def test_both_secrets_verify_until_the_overlap_ends(keys: SigningKeys, other: SigningKeys) -> None:
    at = now()
    headers = Signer(keys, other, at + timedelta(seconds=1)).headers(ID, at, BODY)
    for each in (keys, other):
        Webhook(secret(each)).verify(BODY, headers)
        verify_v1a(public_key(each), BODY, headers)
    assert headers["webhook-signature"].split(" ")[:2] == Signer(keys).headers(ID, at, BODY)["webhook-signature"].split(
        " "
    )


def test_after_the_overlap_only_the_current_secret_signs(keys: SigningKeys, other: SigningKeys) -> None:
    at = now()
    for signer in (Signer(keys, other, at), Signer(keys, other, None)):
        assert signer.headers(ID, at, BODY) == Signer(keys).headers(ID, at, BODY)


def test_a_signer_cannot_print_its_keys(keys: SigningKeys) -> None:
    signer = Signer(keys, keys, LONG_AGO)
    assert secret(keys) not in repr(signer)
    assert repr(keys.hmac) not in f"{signer!r} {vars(signer)!r}"


@pytest.mark.parametrize(
    "text",
    ["", "whsec_", "whsec_c2hvcnQ=", "whsec_%%%%", "whsec_ñ", f"whsec_{base64.b64encode(bytes(65)).decode()}"],
)
def test_what_is_no_secret_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(ValueError, match="24 to 64 bytes") as caught:
        secret_bytes(text)
    told = "".join(traceback.format_exception_only(caught.value))
    assert not text.removeprefix("whsec_") or text.removeprefix("whsec_") not in told


def test_a_secret_is_read_with_and_without_its_prefix(keys: SigningKeys) -> None:
    assert secret_bytes(secret(keys)) == secret_bytes(f" {secret(keys).removeprefix('whsec_')}\n") == keys.hmac
