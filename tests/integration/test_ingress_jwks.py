"""Keys from an address: fetched seldom, held long."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from joserfc.jwk import OKPKey

from certpipe.core.errors import Unavailable
from certpipe.ingress.jwks_url import JwksUrl
from tests.fakes import HandClock


class Issuer:
    """An issuer that counts, changes its keys, and fails when it is told to."""

    def __init__(self) -> None:
        self.kids = ["a"]
        self.fetches: list[str | None] = []
        self.status = 200
        self.body: bytes | None = None
        self.hold: asyncio.Event | None = None
        self.address = ""
        self._keys: dict[str, Any] = {}

    def _key(self, kid: str) -> Any:
        return self._keys.setdefault(kid, OKPKey.generate_key("Ed25519", {"kid": kid}).as_dict(private=False))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.fetches.append(request.headers.get("If-None-Match"))
        if self.hold is not None:
            await self.hold.wait()
        etag = f'"{"".join(self.kids)}"'
        if self.status == 302:
            raise web.HTTPFound("/elsewhere")
        if self.status == 200 and request.headers.get("If-None-Match") == etag:
            return web.Response(status=304)
        body = self.body or json.dumps({"keys": [self._key(kid) for kid in self.kids]}).encode()
        return web.Response(status=self.status, body=body, headers={"ETag": etag})


@asynccontextmanager
async def serving() -> AsyncIterator[Issuer]:
    issuer = Issuer()
    app = web.Application()
    app.router.add_get("/{path:.*}", issuer.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    issuer.address = f"http://127.0.0.1:{runner.addresses[0][1]}/jwks"
    yield issuer
    await runner.cleanup()


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with serving() as found:
        yield found


async def test_a_set_is_fetched_once_for_all_who_ask_at_the_same_time(issuer: Issuer) -> None:
    keys = JwksUrl(issuer.address, HandClock())
    found = await asyncio.gather(*(keys.find("a") for _ in range(20)))
    assert all(found)
    assert len(issuer.fetches) == 1


async def test_after_its_time_it_is_asked_for_again_with_its_tag(issuer: Issuer) -> None:
    clock = HandClock()
    keys = JwksUrl(issuer.address, clock)
    await keys.find("a")
    clock.advance(299)
    await keys.find("a")
    assert issuer.fetches == [None]
    clock.advance(2)
    assert await keys.find("a")
    clock.advance(200)
    assert await keys.find("a")
    assert issuer.fetches == [None, '"a"']


async def test_an_unknown_key_name_makes_one_fetch_and_then_none_for_a_while(issuer: Issuer) -> None:
    clock = HandClock()
    keys = JwksUrl(issuer.address, clock)
    await keys.find("a")
    for number in range(50):
        assert await keys.find(f"made-up-{number}") is None
    assert len(issuer.fetches) == 1
    clock.advance(31)
    issuer.kids = ["a", "b"]
    assert await keys.find("b")
    assert await keys.find("c") is None
    assert len(issuer.fetches) == 2


async def test_a_key_that_was_taken_out_of_the_set_is_no_longer_believed(issuer: Issuer) -> None:
    clock = HandClock()
    keys = JwksUrl(issuer.address, clock)
    await keys.find("a")
    issuer.kids = ["b"]
    clock.advance(301)
    assert await keys.find("a") is None


@pytest.mark.parametrize(
    ("status", "body"),
    [(500, None), (404, None), (302, None), (200, b"<html>"), (200, b'{"keys": []}'), (200, b" " * 600_000)],
)
async def test_the_last_good_set_stays_while_the_issuer_fails(issuer: Issuer, status: int, body: bytes | None) -> None:
    clock = HandClock()
    keys = JwksUrl(issuer.address, clock)
    await keys.find("a")
    issuer.status, issuer.body, issuer.kids = status, body, ["z"]
    clock.advance(301)
    for _ in range(5):
        assert await keys.find("a")
    assert len(issuer.fetches) == 2, "a failure is not asked again at once"
    clock.advance(86_400)
    with pytest.raises(Unavailable):
        await keys.find("a")


async def test_without_any_set_the_keys_are_unavailable_until_the_issuer_answers(issuer: Issuer) -> None:
    clock = HandClock()
    keys = JwksUrl(issuer.address, clock)
    issuer.status = 503
    with pytest.raises(Unavailable) as away:
        await keys.find("a")
    assert away.value.problems[0].code == "signing_keys_unavailable"
    issuer.status = 200
    clock.advance(2)
    assert await keys.find("a")


async def test_while_the_set_is_renewed_the_old_one_serves(issuer: Issuer) -> None:
    clock = HandClock()
    keys = JwksUrl(issuer.address, clock)
    await keys.find("a")
    clock.advance(301)
    issuer.hold = asyncio.Event()
    renewing = asyncio.create_task(keys.find("a"))
    async with asyncio.timeout(30):
        while len(issuer.fetches) < 2:
            await asyncio.wait([asyncio.create_task(_nothing())])
        assert await keys.find("a")
    assert not renewing.done()
    issuer.hold.set()
    assert await renewing


async def _nothing() -> None:
    return
