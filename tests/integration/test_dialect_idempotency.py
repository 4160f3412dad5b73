"""A vendor's idempotency key against a whole certpipe: many at once, and a process that is killed before it answers."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest

from tests.vendors import Vendors, vendors

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
async def running(tmp_path: Path, database_url: str) -> AsyncIterator[Vendors]:
    """Lummy's answers wait for the PAC here."""
    async with vendors(tmp_path / "data", database_url, CERTPIPE_DIALECT_UNTIL="lummy=forwarded") as certpipe:
        yield certpipe


def form(running: Vendors) -> aiohttp.FormData:
    bundle = running.bundles["csd"]
    sent = aiohttp.FormData(default_to_multipart=True)
    sent.add_field("cerFile", bundle.certificate, filename="a.cer")
    sent.add_field("keyFile", bundle.private_key, filename="a.key")
    sent.add_field("password", bundle.password)
    return sent


async def put(running: Vendors, http: aiohttp.ClientSession, branch: str, key: str) -> tuple[int, dict[str, Any]]:
    headers = {"x-organization-id": running.organization, "x-idempotency": key}
    async with http.put(f"/branches/{branch}/csd", data=form(running), headers=headers) as answer:
        body: dict[str, Any] = json.loads(await answer.read())
        del body["requestId"], body["timestamp"]
        return answer.status, body


async def uploads(http: aiohttp.ClientSession, branch: str) -> list[dict[str, Any]]:
    async with http.get("/v1/uploads", params={"party_id": branch}) as answer:
        items: list[dict[str, Any]] = (await answer.json())["items"]
        return items


async def test_fifty_at_once_are_one_upload_and_one_answer(running: Vendors) -> None:
    branch, key = await running.party("branch"), str(uuid4())
    async with running.installation.client() as http:
        answers = await asyncio.gather(*(put(running, http, branch, key) for _ in range(50)))
        done = [body for status, body in answers if status == 200]
        assert {status for status, _ in answers} <= {200, 409}
        assert done
        assert all(body == done[0] for body in done)
        assert len(await uploads(http, branch)) == 1
        assert await put(running, http, branch, key) == (200, done[0])


async def test_killed_between_commit_and_answer_a_retry_gets_the_first_uploads_result(running: Vendors) -> None:
    branch, key = await running.party("branch"), str(uuid4())
    await running.faults({"kind": "status", "status": 503})
    async with running.installation.client() as http:
        asked = asyncio.create_task(put(running, http, branch, key))
        async with asyncio.timeout(60):
            while not (found := await uploads(http, branch)):
                assert not asked.done()
        await running.installation.kill()
        with pytest.raises(aiohttp.ClientError):
            await asked
    await running.installation.start()
    async with running.installation.client() as http:
        status, body = await put(running, http, branch, key)
        assert status == 200, body
        (upload,) = await uploads(http, branch)
        assert (upload["id"], upload["state"]) == (found[0]["id"], "forwarded")
        assert await put(running, http, branch, key) == (200, body)
