"""The development issuer."""

import json
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt as pyjwt
import pytest

from certpipe.development.identity import Identity
from certpipe.settings import Settings

HOUR = timedelta(hours=1)


def read(identity: Identity, token: str) -> dict[str, object]:
    """The claims, checked by another library than the one that signed."""
    key = pyjwt.PyJWK(json.loads(identity.jwks.read_text())["keys"][0])
    return dict(pyjwt.decode(token, key, algorithms=["ES256"], audience="certpipe", issuer=identity.issuer))


def test_a_token_says_who_and_until_when(tmp_path: Path) -> None:
    identity = Identity.open(tmp_path)
    claims = read(identity, identity.token("ana", operator=False, lifetime=HOUR))
    assert claims["sub"] == "ana"
    assert int(str(claims["exp"])) - int(str(claims["iat"])) == 3600
    assert datetime.fromtimestamp(int(str(claims["exp"])), UTC) > datetime.now(UTC)
    assert "scope" not in claims


def test_an_operator_has_the_scope(tmp_path: Path) -> None:
    identity = Identity.open(tmp_path)
    assert read(identity, identity.token("root", operator=True, lifetime=HOUR))["scope"] == "ops:act"


def test_the_header_names_the_key_and_the_type_of_an_access_token(tmp_path: Path) -> None:
    identity = Identity.open(tmp_path)
    header = pyjwt.get_unverified_header(identity.token("ana", operator=False, lifetime=HOUR))
    key = json.loads(identity.jwks.read_text())["keys"][0]
    assert header == {"alg": "ES256", "typ": "at+jwt", "kid": key["kid"]}


def test_issuer_and_audience_are_those_that_the_settings_expect(tmp_path: Path) -> None:
    identity, fields = Identity.open(tmp_path), Settings.model_fields
    assert identity.issuer == fields["jwt_issuer"].default
    assert identity.audience == fields["jwt_audience"].default


def test_the_public_half_holds_nothing_private(tmp_path: Path) -> None:
    identity = Identity.open(tmp_path)
    assert "d" not in json.loads(identity.jwks.read_text())["keys"][0]
    assert "d=" not in repr(identity)


def test_the_key_stays_when_the_folder_is_opened_again(tmp_path: Path) -> None:
    token = Identity.open(tmp_path).token("ana", operator=False, lifetime=HOUR)
    assert read(Identity.open(tmp_path), token)["sub"] == "ana"


def test_the_signing_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    Identity.open(tmp_path)
    file = tmp_path / "signing-key.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o640)
    with pytest.raises(PermissionError, match="chmod 600"):
        Identity.open(tmp_path)
