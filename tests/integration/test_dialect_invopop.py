"""Invopop's clients against a whole certpipe: its golden transcripts, with real and with generated bundles."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

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


@pytest.mark.parametrize("transcript", transcripts.of("invopop"), ids=str)
async def test_transcript(transcript: Transcript, running: Vendors, bundles: Mapping[str, Bundle]) -> None:
    await Replay(transcript, running, bundles).run()


FIEL_VAULT = {"service": "efisco"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of its own, and its client."""

    running: Vendors
    id: str

    @classmethod
    async def of(cls, running: Vendors) -> "Entry":
        return cls(running, await running.party("entry"))

    async def upload(self, **headers: str) -> tuple[int, Mapping[str, str], Any]:
        """Status, headers and body of the answer to a good e.firma."""
        bundle = self.running.bundles["fiel"]
        sent = {
            "cer_file": base64.b64encode(bundle.certificate).decode(),
            "key_file": base64.b64encode(bundle.private_key).decode(),
            "password": bundle.password,
        }
        path = f"/apps/sw-sapien/v1/entry/{self.id}/certificate"
        async with self.running.installation.client() as http, http.post(path, json=sent, headers=headers) as answer:
            return answer.status, answer.headers, json.loads(await answer.read() or b"null")


@pytest_asyncio.fixture(loop_scope="module")
async def entry(running: Vendors) -> AsyncIterator[Entry]:
    yield await Entry.of(running)
    await running.faults()


async def test_what_the_pac_refuses_is_a_422_in_the_pacs_own_words(running: Vendors, entry: Entry) -> None:
    await running.faults({"kind": "status", "status": 400, "match": FIEL_VAULT})
    status, _, body = await entry.upload()
    assert status == 422, body
    assert body["code"] == "pac_rejected"
    assert body["message"] == "The PAC refused the certificate: 400 [inventado] Falla simulada"
    assert_fits(body, "invopop", "error")


async def test_while_the_pac_is_away_the_answer_is_a_202_and_the_upload_goes_on(running: Vendors, entry: Entry) -> None:
    await running.faults({"kind": "status", "status": 503, "match": FIEL_VAULT})
    status, headers, body = await entry.upload(Prefer="wait=2")
    assert status == 202, body
    assert_fits(body, "invopop", "accepted")
    await running.faults()
    async with running.installation.client() as http, http.get(f"{headers['Location']}?wait=30") as answer:
        assert (await answer.json())["state"] == "forwarded"


async def test_an_upload_that_cannot_be_processed_is_a_500(running: Vendors, entry: Entry) -> None:
    """Its stored parts are damaged between two tries to forward it."""
    await running.faults({"kind": "status", "status": 503, "match": FIEL_VAULT})
    waiting = asyncio.ensure_future(entry.upload())
    damage = """UPDATE certpipe.parts SET ciphertext = '\\x00'
        WHERE certificate_id IN (SELECT id FROM certpipe.certificates WHERE party_id = $1::uuid)"""
    async with asyncio.timeout(20):
        while await running.execute(damage, entry.id) == "0":
            assert not waiting.done(), waiting.result()
    status, _, body = await waiting  # with the fault still there: a try that has read the parts before must not succeed
    await running.faults()
    assert status == 500, body
    assert_fits(body, "invopop", "error")
