"""Timbrix's clients against a whole certpipe: its golden transcripts, with real and with generated bundles."""

import asyncio
import io
from collections.abc import Mapping
from typing import Any

import aiohttp
import pytest

from certpipe.core.bundle import Bundle
from tests import transcripts
from tests.bundles import genuine
from tests.golden_schemas import assert_fits
from tests.transcripts import Replay, Transcript
from tests.vendors import Vendors

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(params=["generated", "genuine"])
def bundles(request: pytest.FixtureRequest, running: Vendors) -> Mapping[str, Bundle]:
    return running.bundles if request.param == "generated" else genuine()


@pytest.mark.parametrize("transcript", transcripts.of("timbrix"), ids=str)
async def test_transcript(transcript: Transcript, running: Vendors, bundles: Mapping[str, Bundle]) -> None:
    await Replay(transcript, running, bundles).run()


async def put(running: Vendors, party: str, certificate: bytes | None = None) -> tuple[int, Any]:
    """Status and body of the answer to an upload: of a good CSD, or of another `certificate`."""
    bundle = running.bundles["csd"]
    form = aiohttp.FormData()
    form.add_field("certificate", io.BytesIO(certificate or bundle.certificate), filename="a.cer")
    form.add_field("privateKey", bundle.private_key, filename="a.key")
    form.add_field("password", bundle.password)
    path = f"/organizations/{party}/certificates"
    async with running.installation.client() as http, http.put(path, data=form) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize("size", [65_537, 1 << 20, 11 << 20], ids=["65-KiB", "1-MiB", "11-MiB"])
async def test_a_file_that_is_no_certificate_by_its_size_is_a_400(size: int, running: Vendors) -> None:
    """The document allows 10 MB a file: such a request is read, and answered by a reason."""
    status, body = await put(running, await running.party("organization"), bytes(size))
    assert status == 400, body
    assert_fits(body, "timbrix", "error")
    assert body["code"] == "file_too_large"


async def test_nobody_sees_the_organization_without_a_certificate_while_it_is_replaced(running: Vendors) -> None:
    """A look after every answer, and while uploads are under way, finds exactly one active certificate."""
    party = await running.party("organization")
    seen: list[int] = []

    async def look(until: asyncio.Event) -> None:
        async with running.installation.client() as http:
            while not until.is_set():
                async with http.get("/v1/certificates", params={"party_id": party}) as answer:
                    items = (await answer.json())["items"]
                seen.append(sum(item["active"] for item in items))

    done = asyncio.Event()
    assert (await put(running, party))[0] == 200
    looking = asyncio.ensure_future(look(done))
    for _ in range(5):
        assert (await put(running, party))[0] == 200
    done.set()
    await looking
    assert set(seen) == {1}
