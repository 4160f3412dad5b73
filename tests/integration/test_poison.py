"""An upload that kills whatever process works on it: it parks alone, after a bounded number of deaths."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from certpipe.core.clock import SystemClock
from certpipe.core.ids import uuid7
from certpipe.development.demo import Demo
from schemas.base import Kind
from tests.installation import Installation
from tests.poisoned import POISON

MOST_DEATHS = 3
SECONDS = 150

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


class House:
    """A whole certpipe, started again as often as it dies."""

    def __init__(self, installation: Installation) -> None:
        self.installation, self.deaths = installation, 0
        demo = Demo.open(installation.folder / "demo", at=SystemClock().now())
        self.files = [file.read_bytes() for file in demo.pair(Kind.CSD)]

    async def party(self, rfc: str) -> str:
        party_id, organization = str(uuid7()), str(self.installation.organization_id)
        body = {"organization_id": organization, "kind": "branch", "rfc": rfc, "name": "A branch"}
        async with self.installation.client() as http, http.put(f"/v1/parties/{party_id}", json=body) as answer:
            assert answer.status == 201, await answer.text()
        return party_id

    async def upload(self, party_id: str) -> str:
        certificate, key, password = self.files
        form = aiohttp.FormData(default_to_multipart=True)
        form.add_field("certificate", certificate, filename="a.cer")
        form.add_field("private_key", key, filename="a.key")
        for name, text in {"password": password.decode().strip(), "party_id": party_id, "kind": "csd"}.items():
            form.add_field(name, text)
        async with self.installation.client() as http, http.post("/v1/uploads", data=form) as answer:
            assert answer.status == 202, await answer.text()
            return str((await answer.json())["id"])

    async def ask(self, method: str, path: str) -> dict[str, Any]:
        async with self.installation.client() as http, http.request(method, path) as answer:
            assert answer.status < 300, await answer.text()
            document: dict[str, Any] = await answer.json()
            return document

    async def until_ended(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """What became of them; starts certpipe again whenever it has died."""
        async with asyncio.timeout(SECONDS):
            while True:
                try:
                    found = [await self.ask("GET", f"/v1/uploads/{each}") for each in ids]
                except aiohttp.ClientError:
                    await self.installation.ended()
                    self.deaths += 1
                    await self.installation.start()
                    continue
                if all(each["ended"] for each in found):
                    return found
                await SystemClock().wait(0.2)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    installation = Installation(tmp_path / "data", module="tests.poisoned", CERTPIPE_LOG_LEVEL="INFO")
    await installation.start()
    yield House(installation)
    await installation.stop()


async def test_a_poison_parks_alone_in_one_process_and_can_be_replayed_without_a_death(house: House) -> None:
    bad = await house.party(POISON)
    good = [str(house.installation.dev["parties"]["csd"]), *[await house.party("EKU9003173C9") for _ in range(3)]]
    poison = await house.upload(bad)
    innocent: list[str] = []
    for party in good:
        try:
            innocent.append(await house.upload(party))
        except aiohttp.ClientError:
            break  # it has died already
    *others, parked = await house.until_ended([*innocent, poison])
    assert parked["state"] == "failed", house.installation.log
    assert parked["problems"][0]["code"] == "poisonous"
    assert "SIGKILL" in parked["problems"][0]["hint"]
    assert "failed" not in {each["state"] for each in others}
    assert 1 <= house.deaths <= MOST_DEATHS

    (letter,) = (await house.ask("GET", "/v1/dead?state=open"))["items"]
    assert (letter["upload_id"], letter["code"], letter["stage"]) == (poison, "poisonous", "validate")
    pid = house.installation.pid
    await house.ask("POST", f"/v1/dead/{letter['id']}/replay")
    (again,) = await house.until_ended([poison])
    assert again["state"] == "failed"
    assert [entry["type"] for entry in again["history"]].count("upload.replayed") == 1
    assert house.installation.pid == pid, "the replay took no process down but its own"
    fine = await house.upload(good[1])
    (end,) = await house.until_ended([fine])
    assert end["state"] == "forwarded"
    (second,) = (await house.ask("GET", "/v1/dead?state=open"))["items"]
    assert second["id"] > letter["id"]
    dropped = await house.ask("DELETE", f"/v1/dead/{second['id']}")
    assert (dropped["state"], len(dropped["history"])) == ("dropped", 1)
