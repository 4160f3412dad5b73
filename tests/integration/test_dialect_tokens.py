"""Tokens that prove nobody: 401 in the dialect's own shape, at every route of every dialect."""

import base64
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

from certpipe.core.ports.dialect import Dialect, DialectRoute
from certpipe.dialects import DIALECTS
from tests.golden_schemas import assert_fits
from tests.integration.door import AUDIENCE, ISSUER, Door, open_door
from tests.integration.speaking import spoken

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROUTES = [(dialect, route) for dialect in DIALECTS.values() for route in dialect.routes]


def called(each: Any) -> str:
    """A case, in words."""
    return f"{each.method} {each.path}" if isinstance(each, DialectRoute) else str(getattr(each, "name", each))


def _claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    return {"iss": ISSUER, "aud": AUDIENCE, "sub": "olivia", "iat": now, "exp": now + 600, **changes}


def _segment(content: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def _unsigned(_: Door) -> str:
    return f"{_segment({'alg': 'none', 'typ': 'at+jwt', 'kid': 'k1'})}.{_segment(_claims())}."


def _unsigned_with_a_signature(_: Door) -> str:
    return f"{_segment({'alg': 'none', 'typ': 'at+jwt', 'kid': 'k1'})}.{_segment(_claims())}.AAAA"


def _signed_with_the_public_key(door: Door) -> str:
    public = str(door.key.as_dict(private=False)["x"])
    secret = OctKey.import_key(base64.urlsafe_b64decode(public + "=" * (-len(public) % 4)))
    return jwt.encode({"alg": "HS256", "typ": "at+jwt", "kid": "k1"}, _claims(), secret, algorithms=["HS256"])


def _of_another_key(kid: str) -> Any:
    key = OKPKey.generate_key("Ed25519", {"kid": kid})
    header = {"alg": "Ed25519", "typ": "at+jwt", "kid": kid}
    return lambda _: jwt.encode(header, _claims(), key, algorithms=["Ed25519"])


TOKENS: dict[str, Any] = {
    "none": lambda _: None,
    "empty": lambda _: "Bearer ",
    "another scheme": lambda door: f"Basic {door.token()}",
    "expired": lambda door: f"Bearer {door.token(exp=int(time.time()) - 3_600, iat=int(time.time()) - 7_200)}",
    "another audience": lambda door: f"Bearer {door.token(aud='somebody-else')}",
    "another issuer": lambda door: f"Bearer {door.token(iss='https://elsewhere.test')}",
    "alg none": lambda door: f"Bearer {_unsigned(door)}",
    "alg none with a signature": lambda door: f"Bearer {_unsigned_with_a_signature(door)}",
    "HS256 by the public key": lambda door: f"Bearer {_signed_with_the_public_key(door)}",
    "an unknown kid": lambda door: f"Bearer {_of_another_key('k9')(door)}",
    "a known kid, another key": lambda door: f"Bearer {_of_another_key('k1')(door)}",
    "no JWT": lambda _: "Bearer abc",
    "nothing of base64": lambda _: "Bearer !.!.!",
    "of a megabyte": lambda _: f"Bearer {'a' * (1 << 20)}",
    "of a megabyte in three": lambda _: f"Bearer {'a' * 500_000}.{'b' * 500_000}.{'c' * 48_576}",
}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def door() -> AsyncIterator[Door]:
    async with open_door(dialects=[spoken(dialect) for dialect in DIALECTS.values()]) as opened:
        yield opened


@pytest.mark.parametrize("name", TOKENS)
@pytest.mark.parametrize(("dialect", "route"), ROUTES, ids=called)
async def test_it_is_401_in_the_dialects_shape(door: Door, dialect: Dialect, route: DialectRoute, name: str) -> None:
    sent = TOKENS[name](door)
    headers = {} if sent is None else {"Authorization": sent}
    path = route.path.format(id=door.party)
    async with door.call(route.method, path, subject=None, headers=headers, data={"password": "x"}) as answer:
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert_fits(await answer.json(), dialect.name, "error")
    assert not door.store.rows


@pytest.mark.parametrize(("dialect", "route"), ROUTES, ids=called)
async def test_two_tokens_are_none(door: Door, dialect: Dialect, route: DialectRoute) -> None:
    good = f"Bearer {door.token()}"
    address = door.address + route.path.format(id=door.party)
    sent = [("Authorization", good), ("Authorization", good)]
    async with door.session.request(route.method, address, headers=sent) as answer:
        assert answer.status == 401
        assert_fits(await answer.json(), dialect.name, "error")


@pytest.mark.parametrize(("dialect", "route"), ROUTES, ids=called)
async def test_a_good_token_is_not_401(door: Door, dialect: Dialect, route: DialectRoute) -> None:
    del dialect
    async with door.call(route.method, route.path.format(id=door.party)) as answer:
        assert answer.status != 401
