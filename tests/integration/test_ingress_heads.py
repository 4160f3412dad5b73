"""How long a head may be: a token of a megabyte is answered like any other bad one, and more is cut off."""

import asyncio
import io
import json
from collections.abc import AsyncIterator

import pytest

from certpipe.ingress.heads import MOST_HEAD_BYTES
from tests.integration.door import Door, body, open_door

MEGABYTE = "x" * (1 << 20)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with open_door() as opened:
        yield opened


async def _raw(door: Door, *pieces: bytes) -> bytes:
    """All that is answered until the server closes."""
    host, port = door.address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


@pytest.mark.parametrize("token", [MEGABYTE, f"{MEGABYTE[:500_000]}.{MEGABYTE[:500_000]}.x"])
async def test_a_token_of_a_megabyte_is_401(door: Door, token: str) -> None:
    for method, path in (("GET", "/v1/uploads"), ("POST", "/v1/uploads")):
        headers = {"Authorization": f"Bearer {token}"}
        async with door.call(method, path, subject=None, headers=headers, json=body(door)) as answer:
            assert (answer.status, (await answer.json())["code"]) == (401, "unauthorized")


async def test_a_head_that_is_longer_than_that_is_cut_off(door: Door) -> None:
    field = b"X-Long: " + b"x" * (MOST_HEAD_BYTES // 4) + b"\r\n"
    assert await _raw(door, b"GET /livez HTTP/1.1\r\nHost: x\r\n", *[field] * 5, b"\r\n") == b""


async def test_bodies_and_later_requests_of_a_connection_count_for_no_head(door: Door) -> None:
    for _ in range(3):
        sent = io.BytesIO(json.dumps(body(door, certificate="AAAA" * 500_000)).encode())
        headers = {"Content-Type": "application/json"}
        async with door.call("POST", "/v1/uploads", data=sent, headers=headers) as answer:
            assert answer.status == 400
        async with door.call("GET", "/livez", headers={"X-Long": MEGABYTE[:800_000]}) as answer:
            assert answer.status == 200
