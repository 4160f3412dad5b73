import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc.jwe import JWERegistry, encrypt_compact
from joserfc.jwk import OKPKey
from joserfc.registry import HeaderParameter

from certpipe.core.errors import Rejected
from certpipe.core.ids import uuid7
from certpipe.core.uploads import Box, BoxBinding
from schemas.upload import SealFormat
from tests.unit.crypto.comparing import members
from tests.unit.crypto.conftest import Intake
from tests.unit.crypto.independent import b64url, seal_jwe

KEY = Intake("intake-f0f0f0f0.v1", X25519PrivateKey.generate())
OTHER = X25519PrivateKey.generate()
BINDING = BoxBinding(uuid7(), uuid7())
PLAINTEXT = '{"certificate":"MIIB","private_key":"MIIC","password":"Ñ"}'.encode()
HEADER: dict[str, Any] = {"kid": KEY.kid, "sub": str(BINDING.upload_id), "iss": str(BINDING.organization_id)}


def token(header: dict[str, Any] | None = None, plaintext: bytes = PLAINTEXT) -> str:
    return seal_jwe(plaintext, KEY.public_key, {**HEADER, **(header or {})}, X25519PrivateKey.generate(), bytes(12))


def box(text: str) -> Box:
    return Box(SealFormat.JWE, KEY.kid, text.encode("utf-8", "surrogatepass"))


def refused(text: str, binding: BoxBinding = BINDING) -> bool:
    with pytest.raises(Rejected, match=r"^box_unopenable$") as caught:
        KEY.opener.open(box(text), binding)
    return caught.value.__context__ is None


def test_a_jwe_made_by_the_letter_of_the_rfcs_opens() -> None:
    assert members(KEY.opener.open(box(token()), BINDING)) == (b"0\x82\x01", b"0\x82\x02", "Ñ")


@pytest.mark.parametrize("extra", [{"typ": "JWE"}, {"cty": "json"}, {"typ": "JOSE", "cty": "application/json"}])
def test_a_jwe_may_say_what_it_is(extra: dict[str, str]) -> None:
    assert KEY.opener.open(box(token(extra)), BINDING).password == "Ñ"


def test_a_jwe_of_another_library_with_two_large_files_opens() -> None:
    plaintext = json.dumps({"certificate": "A" * 87_384, "private_key": "B" * 87_384, "password": "x"}).encode()
    claims = {name: HeaderParameter("claim", "str") for name in ("sub", "iss")}
    registry = JWERegistry(algorithms=["ECDH-ES", "A256GCM"], header_registry=claims)
    public = OKPKey.import_key(KEY.public_key)
    sealed = encrypt_compact({"alg": "ECDH-ES", "enc": "A256GCM", **HEADER}, plaintext, public, registry=registry)
    assert len(KEY.opener.open(box(sealed), BINDING).certificate) == 65_538


@pytest.mark.parametrize(
    "header",
    [
        {"kid": None},
        {"sub": None},
        {"iss": None},
        {"kid": "intake-other.v1"},
        {"kid": [KEY.kid]},
        {"sub": str(uuid7())},
        {"iss": str(uuid7())},
        {"sub": HEADER["iss"], "iss": HEADER["sub"]},
        {"sub": HEADER["sub"].upper()},
        {"sub": {"id": HEADER["sub"]}},
        {"alg": "dir"},
        {"alg": "ECDH-ES+A256KW"},
        {"alg": "PBES2-HS256+A128KW", "p2c": 10**9, "p2s": "c2FsdA"},
        {"alg": ["ECDH-ES"]},
        {"enc": "A128GCM"},
        {"enc": "A256CBC-HS512"},
        {"zip": "DEF"},
        {"crit": ["exp"], "exp": 1},
        {"jwk": {"kty": "OKP", "crv": "X25519", "x": b64url(bytes(32))}},
        {"jku": "https://attacker.example/keys"},
        {"x5u": "https://attacker.example/keys"},
        {"b64": False},
        {"epk": None},
        {"epk": "text"},
        {"epk": []},
        {"epk": {"kty": "OKP", "crv": "X25519"}},
        {"epk": {"kty": "OKP", "crv": "X25519", "x": 5}},
        {"epk": {"kty": "OKP", "crv": "X25519", "x": ""}},
        {"epk": {"kty": "OKP", "crv": "X25519", "x": b64url(bytes(32))}},
        {"epk": {"kty": "OKP", "crv": "X25519", "x": b64url(bytes(31))}},
        {"epk": {"kty": "OKP", "crv": "X25519", "x": "Ñ"}},
        {"epk": {"kty": "OKP", "crv": "X25519", "x": b64url(bytes(32)), "d": b64url(bytes(32))}},
        {"epk": {"kty": "OKP", "crv": "Ed25519", "x": b64url(bytes(32))}},
        {"epk": {"kty": "EC", "crv": "P-256", "x": b64url(bytes(32)), "y": b64url(bytes(32))}},
        {"apu": "!"},
        {"apv": 7},
        {"typ": 7},
        {"cty": "x" * 2_000},
    ],
    ids="-".join,
)
def test_a_header_that_is_not_exactly_as_documented_is_refused(header: dict[str, Any]) -> None:
    assert refused(token(header))


@pytest.mark.parametrize(
    "binding", [BoxBinding(uuid7(), BINDING.organization_id), BoxBinding(BINDING.upload_id, uuid7())]
)
def test_a_jwe_opens_for_its_upload_and_organization_only(binding: BoxBinding) -> None:
    assert refused(token(), binding)


def test_a_jwe_sealed_to_another_key_under_our_key_id_is_refused() -> None:
    assert refused(seal_jwe(PLAINTEXT, OTHER.public_key(), HEADER, X25519PrivateKey.generate(), bytes(12)))


def test_a_header_with_a_member_twice_is_refused() -> None:
    header, *rest = token().split(".")
    twice = json.dumps({"sub": HEADER["sub"], **HEADER})[:-1] + f', "sub": "{HEADER["sub"]}"}}'
    assert header
    assert refused(".".join((b64url(twice.encode()), *rest)))


def test_every_changed_character_of_a_jwe_is_noticed() -> None:
    """Except in the unused bits at the end of a base64url segment, which do not reach the plaintext."""
    good = token()
    ends = {position - 1 for position, character in enumerate(good + ".") if character == "."}
    for position, character in enumerate(good):
        if position not in ends:
            other = "A" if character != "A" else "B"
            assert refused(good[:position] + other + good[position + 1 :])


def test_segments_are_five_and_the_encrypted_key_is_empty() -> None:
    header, _, iv, text, tag = token().split(".")
    assert refused(f"{header}.{iv}.{text}.{tag}")
    assert refused(f"{header}..{iv}.{text}.{tag}.")
    assert refused(f"{header}.{b64url(bytes(32))}.{iv}.{text}.{tag}")
    assert refused(f"{header}..{iv}.{text}.")
    assert refused(f"{header}...{text}.{tag}")


JSON = st.recursive(st.booleans() | st.integers() | st.text(max_size=9), st.lists, max_leaves=5)


@settings(deadline=None)
@given(header=st.dictionaries(st.sampled_from(["alg", "enc", "kid", "sub", "iss", "epk", "zip", "apu", "typ"]), JSON))
def test_any_header_raises_only_our_own_error(header: dict[str, Any]) -> None:
    if header.keys() <= {"typ", "apu"}:
        header["zip"] = "DEF"
    assert refused(token(header))


@settings(deadline=None)
@given(name=st.sampled_from(["apu", "apv", "typ", "cty"]), value=JSON)
def test_any_optional_member_opens_or_raises_only_our_own_error(name: str, value: object) -> None:
    try:
        KEY.opener.open(box(token({name: value})), BINDING)
    except Rejected as error:
        assert str(error) == "box_unopenable"  # noqa: PT017 - opening is as good an end


@settings(deadline=None)
@given(x=st.text(max_size=60))
def test_any_ephemeral_key_raises_only_our_own_error(x: str) -> None:
    assert refused(token({"epk": {"kty": "OKP", "crv": "X25519", "x": x}}))


@settings(deadline=None)
@given(segments=st.lists(st.text(max_size=40), min_size=4, max_size=4))
def test_any_segments_behind_a_good_header_raise_only_our_own_error(segments: list[str]) -> None:
    assert refused(".".join((token().split(".")[0], *segments)))
