"""Which keys of a set may verify a token."""

import json
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, OctKey, RSAKey

from certpipe.core.clock import SystemClock
from certpipe.ingress.jwks import MOST_BYTES, JwksFile, KeySet
from certpipe.ingress.jwks_url import JwksUrl
from tests.unit.ingress.tokens import EC, ED, RSA, SET


def document(*keys: Any) -> bytes:
    return json.dumps({"keys": keys}).encode()


def public(key: Any, **changes: Any) -> dict[str, Any]:
    return {**key.as_dict(private=False), **changes}


def test_each_key_allows_its_own_algorithm_and_no_other() -> None:
    keys = KeySet.parse(SET)
    allowed = {kid: key.algorithms for kid in ("ed", "ec", "rsa") if (key := keys.find(kid)) is not None}
    assert allowed == {"ed": {"EdDSA", "Ed25519"}, "ec": {"ES256"}, "rsa": {"RS256"}}


def test_a_key_may_narrow_its_algorithms_and_never_widen_them() -> None:
    keys = KeySet.parse(document(public(ED, alg="EdDSA"), public(RSA, alg="PS256"), public(EC, alg=["ES256"])))
    found = keys.find("ed")
    assert found is not None
    assert found.algorithms == {"EdDSA"}
    assert keys.find("rsa") is keys.find("ec") is None


@pytest.mark.parametrize(
    "odd",
    [
        OctKey.generate_key(256, {"kid": "x"}).as_dict(),
        public(RSA, kid="x", use="enc"),
        public(EC, kid="x", key_ops=["sign"]),
        public(EC, kid=7),
        {**public(EC, kid="x"), "x": public(EC)["y"]},
        {"kty": "OKP", "crv": "X25519", "x": public(ED)["x"], "kid": "x"},
        {"kty": "RSA", "kid": "x"},
        ECKey.generate_key("P-384", {"kid": "x"}).as_dict(private=False),
        "x",
        None,
    ],
)
def test_keys_that_verify_nothing_are_left_out(odd: Any) -> None:
    keys = KeySet.parse(document(odd, public(ED)))
    assert keys.find("x") is None
    assert keys.find("ed") is not None


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
def test_rsa_under_2048_bits_is_left_out() -> None:
    weak = RSAKey.generate_key(1024, {"kid": "weak"})
    assert KeySet.parse(document(public(weak), public(ED))).find("weak") is None


def test_only_the_public_half_of_a_private_key_is_kept() -> None:
    found = KeySet.parse(document(ED.as_dict(private=True))).find("ed")
    assert found is not None
    assert not found.key.is_private


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [], "keys": []}',
        document(public(ED), public(EC, kid="ed")),
        SET.ljust(MOST_BYTES + 1),
    ],
)
def test_a_document_that_is_no_good_set_is_refused(bad: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        KeySet.parse(bad)


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    file.write_bytes(b"{}")
    with pytest.raises(ValueError, match=r"jwks\.json"):
        JwksFile(file)


@pytest.mark.parametrize(
    "address",
    ["http://issuer.test/jwks", "ftp://127.0.0.1/", "https://u:p@issuer.test/", "jwks", "http://127.0.0.1.test/"],
)
def test_an_address_that_is_not_https_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="https"):
        JwksUrl(address, SystemClock())


@pytest.mark.parametrize(
    "address", ["https://issuer.test/jwks", "http://127.0.0.1:1/", "http://[::1]:1/", "http://localhost/"]
)
async def test_https_and_loopback_are_taken(address: str) -> None:
    assert JwksUrl(address, SystemClock())
