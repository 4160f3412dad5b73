import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from certpipe.core.bundle import Bundle
from certpipe.core.errors import Rejected
from certpipe.core.ids import uuid7
from certpipe.core.uploads import Box, BoxBinding
from certpipe.crypto.opening import BoxOpener
from certpipe.crypto.scheme import SUITE, hpke_info
from schemas.status import Actor
from schemas.upload import SealFormat
from tests.unit.crypto.comparing import members
from tests.unit.crypto.conftest import Intake

CANARY = "canary-9f8e7d6c"
KEY = Intake("intake-f0f0f0f0.v1", X25519PrivateKey.generate())
BINDING = BoxBinding(uuid7(), uuid7())
SEALED = KEY.sealer.seal(Bundle(certificate=b"c", private_key=b"k", password=CANARY), BINDING)


def refusal(box: Box, binding: BoxBinding = BINDING, opener: BoxOpener | None = None) -> Rejected:
    with pytest.raises(Rejected) as caught:
        (opener or KEY.opener).open(box, binding)
    return caught.value


def sealed_plaintext(plaintext: bytes) -> Box:
    return replace(SEALED, ciphertext=SUITE.encrypt(plaintext, KEY.public_key, hpke_info(KEY.kid, BINDING)))


@pytest.mark.parametrize("kid", ["", "intake-f0f0f0f0.v2", "INTAKE-F0F0F0F0.V1", "../intake", "x" * 10_000])
def test_an_unknown_key_id_is_told_with_its_remedy_and_no_echo(kid: str) -> None:
    (problem,) = refusal(replace(SEALED, kid=kid)).problems
    assert (problem.code, problem.status, problem.actor) == ("unknown_sealing_key", 400, Actor.SUBMITTER)
    assert "GET /v1/sealing-keys" in (problem.hint or "")
    assert len(str(problem)) < 1_000


def test_older_keys_still_open_and_retired_ones_are_unknown() -> None:
    newer = Intake("intake-f0f0f0f0.v2", X25519PrivateKey.generate())
    both = BoxOpener({KEY.kid: KEY.private_key, newer.kid: newer.private_key})
    fresh = newer.sealer.seal(Bundle(certificate=b"", private_key=b"", password=""), BINDING)
    assert both.open(SEALED, BINDING).password == CANARY
    assert both.open(fresh, BINDING).password == ""
    assert refusal(SEALED, opener=newer.opener).problems[0].code == "unknown_sealing_key"


def test_a_box_relabelled_to_another_known_key_does_not_open() -> None:
    newer = Intake("intake-f0f0f0f0.v2", X25519PrivateKey.generate())
    both = BoxOpener({KEY.kid: KEY.private_key, newer.kid: newer.private_key})
    assert refusal(replace(SEALED, kid=newer.kid), opener=both).problems[0].code == "box_unopenable"


def test_every_flipped_bit_of_a_box_is_noticed() -> None:
    for position in range(len(SEALED.ciphertext)):
        damaged = bytearray(SEALED.ciphertext)
        damaged[position] ^= 1 << position % 8
        assert refusal(replace(SEALED, ciphertext=bytes(damaged))).problems[0].code == "box_unopenable"


@pytest.mark.parametrize(
    "enc",
    [
        bytes(32),
        b"\1" + bytes(31),
        bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
        bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
        bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        bytes.fromhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        bytes.fromhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
    ],
)
def test_points_of_low_order_open_nothing(enc: bytes) -> None:
    assert refusal(replace(SEALED, ciphertext=enc + SEALED.ciphertext[32:])).problems[0].code == "box_unopenable"


@pytest.mark.parametrize("cut", [0, 1, 31, 32, 47, 48, -1, -16])
def test_a_truncated_box_is_refused(cut: int) -> None:
    assert refusal(replace(SEALED, ciphertext=SEALED.ciphertext[:cut])).problems[0].code == "box_unopenable"


def test_a_longer_box_is_refused() -> None:
    assert refusal(replace(SEALED, ciphertext=SEALED.ciphertext + b"\0")).problems[0].code == "box_unopenable"
    assert refusal(replace(SEALED, ciphertext=bytes(10_000_000))).problems[0].code == "box_unopenable"


def test_a_box_over_the_cap_is_refused_before_it_is_opened() -> None:
    """It would open: white space makes JSON longer and changes nothing."""
    good = json.dumps(GOOD).encode()
    assert KEY.opener.open(sealed_plaintext(good + b" " * 299_000), BINDING).password == CANARY
    assert refusal(sealed_plaintext(good + b" " * 300_000)).problems[0].code == "box_unopenable"


def test_the_format_is_not_guessed() -> None:
    assert refusal(replace(SEALED, format=SealFormat.JWE)).problems[0].code == "box_unopenable"


GOOD: dict[str, Any] = {"certificate": "MIIB", "private_key": "MIIC", "password": CANARY}


@pytest.mark.parametrize(
    "plaintext",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b"[" * 150_000,
        b'{"a":' * 30_000,
        b"1" * 100_000,
        b"NaN",
        json.dumps({**GOOD, "extra": CANARY}).encode(),
        json.dumps({**GOOD, "password": None}).encode(),
        json.dumps({**GOOD, "password": 12345678}).encode(),
        json.dumps({**GOOD, "password": "\ud800" + CANARY}).encode(),
        json.dumps({**GOOD, "password": CANARY * 100}).encode(),
        json.dumps({**GOOD, "private_key": CANARY}).encode(),
        json.dumps({**GOOD, "private_key": "MII"}).encode(),
        json.dumps({**GOOD, "private_key": "MIIÑ"}).encode(),
        json.dumps({**GOOD, "private_key": "MI IC"}).encode(),
        json.dumps({**GOOD, "certificate": "MI IC"}).encode(),
        json.dumps({**GOOD, "certificate": "A" * 90_004}).encode(),
        json.dumps({name: value for name, value in GOOD.items() if name != "certificate"}).encode(),
        json.dumps(GOOD).encode("utf-16"),
        json.dumps(GOOD).encode() + b" trailing",
    ],
    ids=lambda plaintext: f"{len(plaintext)}-bytes",
)
def test_what_is_no_bundle_inside_a_good_box_is_refused_without_a_word_of_it(plaintext: bytes) -> None:
    error = refusal(sealed_plaintext(plaintext))
    assert error.problems[0].code == "box_unopenable"
    assert error.__cause__ is None
    assert error.__context__ is None
    assert CANARY not in repr(error) + repr(error.problems)


def test_a_foreign_producers_json_needs_no_canonical_form() -> None:
    plaintext = f' {{ "password": "{CANARY}",\n "certificate" : "MIIB", "private_key":"" }} '.encode()
    assert members(KEY.opener.open(sealed_plaintext(plaintext), BINDING)) == (b"0\x82\x01", b"", CANARY)


@settings(deadline=None)
@given(format_=st.sampled_from(SealFormat), ciphertext=st.binary(max_size=400))
def test_any_bytes_raise_only_our_own_error(format_: SealFormat, ciphertext: bytes) -> None:
    assert refusal(Box(format_, KEY.kid, ciphertext)).problems[0].code == "box_unopenable"


@settings(deadline=None)
@given(plaintext=st.binary(max_size=300) | st.text().map(str.encode))
def test_any_plaintext_raises_only_our_own_error(plaintext: bytes) -> None:
    assert refusal(sealed_plaintext(plaintext)).problems[0].code == "box_unopenable"


@settings(deadline=None)
@given(data=st.data())
def test_any_mutation_of_a_box_raises_only_our_own_error(data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(SEALED.ciphertext) - 1))
    piece = data.draw(st.binary(max_size=20))
    mutated = SEALED.ciphertext[:position] + piece + SEALED.ciphertext[position + len(piece) :]
    if mutated != SEALED.ciphertext:
        assert refusal(replace(SEALED, ciphertext=mutated)).problems[0].code == "box_unopenable"


@pytest.mark.parametrize("shown", [repr, str, "{}".format, "{:>20}".format, lambda bundle: f"{bundle!s:>9}"])
def test_an_opened_bundle_never_prints(shown: Callable[[Bundle], str]) -> None:
    bundle = KEY.opener.open(SEALED, BINDING)
    assert bundle.password == CANARY
    assert CANARY not in shown(bundle)


def test_neither_half_prints_its_key() -> None:
    key = KEY.private_key.private_bytes_raw()
    shown = repr(KEY.opener) + repr(KEY.sealer) + str(KEY.opener)
    assert key.hex() not in shown
    assert repr(key) not in shown
