"""An entry's way through the doors of a whole certpipe: waiting, processing, registered, void; and waiting again."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from certpipe.simulators.authority import RFC
from tests.vendors import Vendors

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def http(running: Vendors) -> AsyncIterator[aiohttp.ClientSession]:
    async with running.installation.client() as client:
        yield client


def body(running: Vendors, **changes: str) -> dict[str, str]:
    bundle = running.bundles["fiel"]
    return {
        "cer_file": base64.b64encode(bundle.certificate).decode(),
        "key_file": base64.b64encode(bundle.private_key).decode(),
        "password": bundle.password,
        **changes,
    }


async def post(running: Vendors, http: aiohttp.ClientSession, entry: str, **changes: str) -> int:
    path = f"/apps/sw-sapien/v1/entry/{entry}/certificate"
    async with http.post(path, json=body(running, **changes)) as answer:
        await answer.read()
        return answer.status


async def state(http: aiohttp.ClientSession, entry: str) -> Any:
    async with http.get(f"/v1/parties/{entry}") as answer:
        return (await answer.json())["state"]


async def test_an_entry_is_registered_once_and_again_when_it_is_put_again(
    running: Vendors, http: aiohttp.ClientSession
) -> None:
    entry = await running.party("entry")
    assert await state(http, entry) == "waiting"
    assert await post(running, http, entry) == 204
    assert await state(http, entry) == "registered"
    assert await post(running, http, entry) == 404
    party = {"organization_id": running.organization, "kind": "entry", "rfc": RFC, "name": "Again"}
    async with http.put(f"/v1/parties/{entry}", json=party) as answer:
        assert (answer.status, (await answer.json())["state"]) == (200, "waiting")
    assert await post(running, http, entry) == 204


async def test_a_rejected_upload_leaves_it_waiting(running: Vendors, http: aiohttp.ClientSession) -> None:
    entry = await running.party("entry")
    assert await post(running, http, entry, password="wrong") == 400
    assert await state(http, entry) == "waiting"
    assert await post(running, http, entry, cer_file="*") == 400
    assert await post(running, http, entry) == 204


async def test_a_void_entry_is_not_found_until_it_is_put_again(running: Vendors, http: aiohttp.ClientSession) -> None:
    entry = await running.party("entry")
    async with http.post(f"/v1/parties/{entry}/void") as answer:
        assert (answer.status, (await answer.json())["state"]) == (200, "void")
    assert await post(running, http, entry) == 404
    async with http.get("/v1/parties") as answer:
        shown = {party["id"]: party["state"] for party in (await answer.json())["items"]}
    assert shown[entry] == "void"
    assert None in shown.values()


async def test_of_two_at_once_one_is_taken(running: Vendors, http: aiohttp.ClientSession) -> None:
    for _ in range(5):
        entry = await running.party("entry")
        assert sorted(await asyncio.gather(*(post(running, http, entry) for _ in range(2)))) == [204, 404]


async def test_our_own_door_takes_more_for_a_registered_entry(running: Vendors, http: aiohttp.ClientSession) -> None:
    entry = await running.party("entry")
    assert await post(running, http, entry) == 204
    sent = body(running)
    native = {"certificate": sent["cer_file"], "private_key": sent["key_file"], "password": sent["password"]}
    upload = {**native, "party_id": entry, "kind": "fiel"}
    async with http.post("/v1/uploads", json=upload, headers={"Prefer": "wait=30"}) as answer:
        assert (answer.status, (await answer.json())["state"]) == (200, "forwarded")
    assert await state(http, entry) == "registered"
