"""Streams of a whole certpipe, as curl and browsers see them."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

import aiohttp
import pytest
import pytest_asyncio

from tests.installation import Installation

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATIENCE = 60
WHOLE = ["upload.received", "upload.rejected"]


class Event(NamedTuple):
    """One event as it came."""

    id: int
    type: str
    data: Mapping[str, Any]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def certpipe(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    installation = await Installation(tmp_path_factory.mktemp("streams") / "data").start()
    yield installation
    assert await installation.stop() == 0, installation.log


def parsed(text: str) -> list[Event]:
    """The events in a piece of a stream."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if "data" in fields:
            found.append(Event(int(fields["id"]), fields["event"], json.loads(fields["data"])))
    return found


async def submitted(http: aiohttp.ClientSession, installation: Installation) -> str:
    """An upload of something that is no certificate: it is received, and rejected."""
    party = installation.dev["parties"]["csd"]
    body = {"certificate": "eA==", "private_key": "eA==", "password": "x", "party_id": party, "kind": "csd"}
    async with http.post("/v1/uploads", json=body) as answer:
        assert answer.status == 202, await answer.text()
        upload_id: str = (await answer.json())["id"]
    return upload_id


async def rejected(answer: aiohttp.ClientResponse, *upload_ids: str) -> list[Event]:
    """What comes, up to the end of these: an installation sends something of its own when it starts."""
    found: list[Event] = []
    missing = set(upload_ids)
    async with asyncio.timeout(PATIENCE):
        while missing:
            some = parsed((await answer.content.readuntil(b"\n\n")).decode())
            missing -= {each.data["data"]["upload_id"] for each in some if each.type == WHOLE[-1]}
            found += some
    return found


def types(found: list[Event], upload_id: str) -> list[str]:
    """Of those of one upload."""
    return [each.type for each in found if each.data["data"]["upload_id"] == upload_id]


async def test_curl_follows_an_upload_to_its_end_and_is_let_go(certpipe: Installation) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    async with certpipe.client() as http:
        upload_id = await submitted(http, certpipe)
    following = await asyncio.create_subprocess_exec(
        *("curl", "--no-buffer", "--silent", "--show-error", "--fail", "--noproxy", "*"),
        *("--header", f"Authorization: Bearer {certpipe.dev['token']}"),
        f"{certpipe.dev['url']}/v1/uploads/{upload_id}/events",
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        output, _ = await following.communicate()
    text = output.decode()
    assert following.returncode == 0, text
    assert text.startswith("retry: 2000\n\n")
    found = parsed(text)
    assert [event.type for event in found] == WHOLE
    assert [event.id for event in found] == [event.data["data"]["sequence"] for event in found]
    assert {event.data["data"]["upload_id"] for event in found} == {upload_id}


async def test_an_upload_is_told_as_it_goes_and_a_client_that_comes_back_goes_on(certpipe: Installation) -> None:
    async with certpipe.client() as http:
        upload_id = await submitted(http, certpipe)
        path = f"/v1/uploads/{upload_id}/events"
        async with http.get(path) as answer:
            async with asyncio.timeout(PATIENCE):
                whole = parsed((await answer.content.read()).decode())
        async with http.get(path, headers={"Last-Event-ID": str(whole[0].id)}) as answer:
            assert parsed(await answer.text()) == whole[1:]
        async with http.get(path, headers={"Last-Event-ID": str(whole[-1].id)}) as answer:
            assert answer.status == 204


async def test_a_client_that_was_away_misses_nothing_though_certpipe_was_killed(certpipe: Installation) -> None:
    async with certpipe.client() as http, http.get("/v1/events") as answer:
        first = await submitted(http, certpipe)
        before = await rejected(answer, first)
        assert types(before, first) == WHOLE
        second = await submitted(http, certpipe)
        await certpipe.kill()
    await certpipe.start()
    async with certpipe.client() as http:
        third = await submitted(http, certpipe)
        async with http.get("/v1/events", headers={"Last-Event-ID": str(before[-1].id)}) as answer:
            after = await rejected(answer, second, third)
    for upload_id in (second, third):
        assert types(after, upload_id) == WHOLE
    places = [event.id for event in (*before, *after)]
    assert places == sorted(set(places))


async def test_a_ticket_opens_one_stream_without_any_header(certpipe: Installation) -> None:
    async with certpipe.client() as http, aiohttp.ClientSession(certpipe.dev["url"], trust_env=False) as browser:
        async with http.post("/v1/events/ticket") as answer:
            assert answer.status == 201
            ticket = (await answer.json())["ticket"]
        async with browser.get("/v1/events", params={"ticket": ticket, "types": "upload.rejected"}) as answer:
            assert answer.status == 200
            upload_id = await submitted(http, certpipe)
            assert types(await rejected(answer, upload_id), upload_id) == ["upload.rejected"]
            async with browser.get("/v1/events", params={"ticket": ticket}) as again:
                assert again.status == 401
    assert ticket not in certpipe.log


async def test_a_long_poll_wakes_beside_the_streams(certpipe: Installation) -> None:
    async with certpipe.client() as http, http.get("/v1/events"):
        upload_id = await submitted(http, certpipe)
        async with http.get(f"/v1/uploads/{upload_id}", params={"wait": "30"}) as answer:
            assert (await answer.json())["state"] == "rejected"


async def test_stopping_ends_the_streams_at_once(certpipe: Installation) -> None:
    async with certpipe.client() as http, http.get("/v1/events") as answer:
        await answer.content.readuntil(b"\n\n")
        async with asyncio.timeout(PATIENCE):
            rest, code = await asyncio.gather(answer.content.read(), certpipe.stop())
    assert code == 0, certpipe.log
    assert parsed(rest.decode()) == []
    await certpipe.start()
