"""Which tokens are believed."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt as pyjwt
import pytest
from joserfc import jwt

from certpipe.ingress.auth import JwtAuthenticator, Principal, UnauthenticatedError
from tests.fakes import HandClock
from tests.unit.ingress.tokens import (
    AUDIENCE,
    CLAIMS,
    EC,
    ED,
    ED_PRIVATE,
    HEADER,
    ISSUER,
    NOW,
    OTHER,
    RSA,
    SET,
    Fixed,
    b64,
    hs256,
    respelled,
    signed,
    token,
    unsigned,
)

CLOCK = HandClock(datetime.fromtimestamp(NOW, UTC))


def authenticator(document: bytes = SET) -> JwtAuthenticator:
    return JwtAuthenticator(Fixed(document), ISSUER, AUDIENCE, CLOCK)


async def principal(text: str) -> Principal:
    return await authenticator().authenticate([f"Bearer {text}"])


@pytest.mark.parametrize(("alg", "key"), [("Ed25519", ED), ("ES256", EC), ("RS256", RSA)])
async def test_each_fixed_algorithm_is_believed_with_its_own_key(alg: str, key: Any) -> None:
    good = jwt.encode({"alg": alg, "typ": "at+jwt", "kid": key.kid}, dict(CLAIMS), key, algorithms=[alg])
    assert await principal(good) == Principal("olivia", operator=True)


GOOD = {
    "the new name of EdDSA": token({"alg": "Ed25519"}),
    "typ JWT": token({"typ": "JWT"}),
    "typ in full": token({"typ": "application/at+jwt"}),
    "an audience list of one": token(aud=[AUDIENCE]),
    "no iat": token(without="iat"),
    "a clock that is a little ahead": token(iat=NOW + 20, nbf=NOW + 20),
    "an exp with a fraction": token(exp=NOW + 600.5),
    "expired within the leeway": token(exp=NOW - 20),
}


@pytest.mark.parametrize("text", GOOD.values(), ids=GOOD)
async def test_a_good_token_is_believed(text: str) -> None:
    assert (await principal(text)).subject == "olivia"


@pytest.mark.parametrize(
    ("scope", "operator"), [("ops:act", True), ("certs:read ops:act", True), ("ops:acting", False), ("", False)]
)
async def test_an_operator_is_who_has_the_scope(scope: str, operator: bool) -> None:  # noqa: FBT001 - a table
    assert (await principal(token(scope=scope))).operator is operator


# Name: token, and whether PyJWT refuses it too when it is told all it can be told.
HOSTILE: dict[str, tuple[str, bool]] = {
    "none": (unsigned("none"), True),
    "nOnE": (unsigned("nOnE"), True),
    "the RSA public key as an HMAC secret": (hs256(RSA.as_pem(private=False), "rsa"), True),
    "the Ed25519 public key as an HMAC secret": (hs256(ED_PRIVATE.public_key().public_bytes_raw(), "ed"), True),
    "no exp": (token(without="exp"), True),
    "no iss": (token(without="iss"), True),
    "no aud": (token(without="aud"), True),
    "no sub": (token(without="sub"), True),
    "another issuer": (token(iss=ISSUER + "/"), True),
    "an issuer list": (token(iss=[ISSUER]), True),
    "another audience": (token(aud="other"), True),
    "an extra audience": (token(aud=[AUDIENCE, "other"]), False),
    "expired": (token(exp=NOW - 31), True),
    "exp as a string": (token(exp=str(NOW + 600)), False),
    "exp as a boolean": (token(exp=True), True),
    "exp is NaN": (signed(json.dumps(HEADER), json.dumps({**CLAIMS, "exp": float("nan")})), True),
    "exp is infinite": (signed(json.dumps(HEADER), json.dumps({**CLAIMS, "exp": float("inf")})), True),
    "exp in the year 9999": (token(exp=253_402_300_000), False),
    "iat in the future": (token(iat=NOW + 400), True),
    "nbf in the future": (token(nbf=NOW + 400), True),
    "exp twice": (signed(json.dumps(HEADER), json.dumps(dict(CLAIMS))[:-1] + f', "exp": {NOW + 900}}}'), False),
    "alg twice": (signed(json.dumps(HEADER)[:-1] + ', "alg": "EdDSA"}', json.dumps(dict(CLAIMS))), False),
    "a number for a subject": (token(sub=7), True),
    "a subject with a line break": (token(sub="a\nb"), False),
    "a scope list": (token(scope=["ops:act"]), False),
    "claims that are a list": (signed(json.dumps(HEADER), json.dumps([dict(CLAIMS)])), True),
    "a kid list": (token({"kid": ["ed"]}), True),
    "a kid that is a path": (token({"kid": "../ed"}), True),
    "a kid of another key": (token({"kid": "ec"}), True),
    "an unknown kid": (token({"kid": "other"}, key=OTHER), True),
    "a foreign signature": (token(key=OTHER), True),
    "a jwk of its own": (token({"jwk": OTHER.as_dict(private=False)}), False),
    "a jku": (token({"jku": "https://attacker.test/jwks"}), False),
    "an x5u": (token({"x5u": "https://attacker.test/x5u"}), False),
    "an unknown crit": (token({"crit": ["new"], "new": 1}), True),
    "b64 is false": (token({"b64": False, "crit": ["b64"]}), True),
    "zip": (token({"zip": "DEF"}), False),
    "another typ": (token({"typ": "dpop+jwt"}), False),
    "no typ": (signed(json.dumps({"alg": "EdDSA", "kid": "ed"}), json.dumps(dict(CLAIMS))), False),
    "an algorithm of another key": (token({"alg": "ES256"}), True),
    "a spare bit at the end": (respelled(token()), False),
    "a flipped bit at the end": (token()[:-1] + ("A" if token()[-1] != "A" else "Q"), True),
    "a line break at the end": (token() + "\n", True),
    "four parts": (token() + ".", True),
    "padding": (token() + "==", False),
    "a header that is no JSON": (f"{b64(b'alg')}.{b64(b'{}')}.{b64(b'x' * 64)}", True),
    "over 8 KiB": (token(filler="x" * 8_192), False),
}


@pytest.mark.parametrize("text", [text for text, _ in HOSTILE.values()], ids=list(HOSTILE))
async def test_a_hostile_token_is_not_believed(text: str) -> None:
    with pytest.raises(UnauthenticatedError):
        await principal(text)


@pytest.mark.parametrize("text", [text for text, agrees in HOSTILE.values() if agrees])
def test_an_independent_library_refuses_it_too(text: str) -> None:
    with pytest.raises((pyjwt.PyJWTError, KeyError, TypeError)):
        _believed_by_pyjwt(text)


@pytest.mark.parametrize("text", [GOOD["expired within the leeway"], GOOD["typ JWT"], GOOD["an audience list of one"]])
def test_the_independent_library_believes_good_tokens(text: str) -> None:
    _believed_by_pyjwt(text)


def _believed_by_pyjwt(text: str) -> None:
    public: dict[str, Any] = {"ed": ED_PRIVATE.public_key(), "ec": EC.public_key, "rsa": RSA.public_key}
    claims = pyjwt.decode(
        text,
        public[pyjwt.get_unverified_header(text)["kid"]],
        algorithms=["EdDSA", "Ed25519", "ES256", "RS256"],
        issuer=ISSUER,
        audience=AUDIENCE,
        # Its clock is the real one, and these tokens' stands still: both instants are compared by hand.
        options={
            "require": ["exp", "iss", "aud", "sub"],
            "verify_exp": False,
            "verify_iat": False,
            "verify_nbf": False,
        },
    )
    late = max(claims.get("iat", 0), claims.get("nbf", 0)) > NOW + 30
    if not isinstance(claims["exp"], int) or claims["exp"] < NOW - 30 or late:
        raise pyjwt.InvalidTokenError


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [f"Bearer {token()}", f"Bearer {token()}"],
        [f"Basic {token()}"],
        [token()],
        ["Bearer"],
        ["Bearer "],
        [f"Bearer  {token()}"],
        [f"Bearer {token()}, Bearer {token()}"],
        ["Bearer ñ.ñ.ñ"],
    ],
)
async def test_anything_but_one_bearer_header_is_nobody(headers: list[str]) -> None:
    with pytest.raises(UnauthenticatedError):
        await authenticator().authenticate(headers)


async def test_the_scheme_may_be_written_in_any_case() -> None:
    assert (await authenticator().authenticate([f"bEaReR {token()}"])).subject == "olivia"


async def test_a_token_without_a_kid_is_believed_only_where_there_is_one_key() -> None:
    text = signed(json.dumps({"alg": "EdDSA", "typ": "at+jwt"}), json.dumps(dict(CLAIMS)))
    with pytest.raises(UnauthenticatedError):
        await principal(text)
    one = authenticator(json.dumps({"keys": [ED.as_dict(private=False)]}).encode())
    assert (await one.authenticate([f"Bearer {text}"])).subject == "olivia"


async def test_a_token_that_was_proved_is_no_longer_believed_once_it_expires_or_its_key_is_gone() -> None:
    clock, keys = HandClock(datetime.fromtimestamp(NOW, UTC)), Fixed()
    proving = JwtAuthenticator(keys, ISSUER, AUDIENCE, clock)
    headers = [f"Bearer {token()}"]
    first = await proving.authenticate(headers)
    assert await proving.authenticate(headers) is first, "it was remembered"
    for others in ([EC.as_dict(private=False)], [{**OTHER.as_dict(private=False), "kid": "ed"}]):
        keys.replace(json.dumps({"keys": others}).encode())
        with pytest.raises(UnauthenticatedError):
            await proving.authenticate(headers)
    keys.replace(SET)
    assert await proving.authenticate(headers) == first
    clock.advance(631)
    with pytest.raises(UnauthenticatedError):
        await proving.authenticate(headers)


async def test_a_longer_lifetime_is_believed_where_it_is_allowed() -> None:
    text = token(exp=NOW + 86_400)
    with pytest.raises(UnauthenticatedError):
        await principal(text)
    patient = JwtAuthenticator(Fixed(), ISSUER, AUDIENCE, CLOCK, most_lifetime=timedelta(days=1))
    assert (await patient.authenticate([f"Bearer {text}"])).subject == "olivia"
