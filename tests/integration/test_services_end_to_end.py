"""A PAC's service fails: its uploads wait without burning attempts, the other service goes on, and all arrive after."""

import asyncio
import base64
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio

from certpipe.core.clock import SystemClock
from tests.installation import Installation

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow, pytest.mark.timeout(600)]
UPLOADS = 30
AT_ONCE = 8
OTHERS = 12
SECONDS = 120
VAULT, EFISCO = "sw-vault", "efisco"
FAULTS: Mapping[str, Mapping[str, Any]] = {
    "down": {"kind": "status", "status": 503},
    "hung": {"kind": "hang", "seconds": 86_400},
    "asks to wait": {"kind": "status", "status": 429, "retry_after": 1},
    "refuses the account": {"kind": "wrong_token"},
    "half of it fails": {"kind": "status", "status": 500, "rate": 0.5, "seed": 7},
}


class Scene:
    """A whole certpipe with its simulated PAC, and what a submitter and an operator do."""

    def __init__(self, installation: Installation, http: aiohttp.ClientSession) -> None:
        self.installation, self.http = installation, http

    async def fault(self, *rules: Mapping[str, Any]) -> None:
        body = [{"match": {"service": "vault"}, **rule} for rule in rules]
        async with self.http.put(f"{self.installation.dev['simulator_url']}/_faults", json=body) as answer:
            assert answer.ok, await answer.text()

    async def struck(self) -> int:
        async with self.http.get(f"{self.installation.dev['simulator_url']}/_faults") as answer:
            return sum(rule["struck"] for rule in (await answer.json())["rules"])

    async def send(self, kind: str, count: int) -> list[str]:
        """As many uploads, each for a party of its own."""
        folder = self.installation.folder / "demo"
        bundle = {
            "certificate": base64.b64encode((folder / f"{kind}.cer").read_bytes()).decode(),
            "private_key": base64.b64encode((folder / f"{kind}.key").read_bytes()).decode(),
            "password": (folder / "password.txt").read_text(encoding="utf-8"),
            "kind": kind,
        }
        rfc, ids = await self._rfc(), []
        async with self.installation.client() as http:
            for _ in range(count):
                party = {"organization_id": str(self.installation.organization_id), "kind": "branch", "rfc": rfc}
                path = f"/v1/parties/{(party_id := uuid4())}"
                async with http.put(path, json={**party, "name": "Sucursal"}) as answer:
                    assert answer.ok, await answer.text()
                async with http.post("/v1/uploads", json={**bundle, "party_id": str(party_id)}) as answer:
                    assert answer.status == 202, await answer.text()
                    ids.append((await answer.json())["id"])
        return ids

    async def _rfc(self) -> str:
        async with self.installation.client() as http, http.get("/v1/organizations") as answer:
            return str((await answer.json())["items"][0]["rfc"])

    async def services(self) -> Mapping[str, Any]:
        async with self.installation.client() as http, http.get("/v1/services") as answer:
            assert answer.ok, await answer.text()
            return {service["name"]: service for service in (await answer.json())["items"]}

    async def until(self, *states: str) -> None:
        """Until the vault stands like this."""
        async with asyncio.timeout(SECONDS):
            while (await self.services())[VAULT]["state"] not in states:
                await SystemClock().wait(0.05)

    async def until_waiting(self, count: int) -> None:
        async with asyncio.timeout(SECONDS):
            while (await self.services())[VAULT]["waiting"] < count:
                await SystemClock().wait(0.1)

    async def until_struck(self, more: int) -> None:
        wanted = await self.struck() + more
        async with asyncio.timeout(SECONDS):
            while await self.struck() < wanted:
                await SystemClock().wait(0.1)

    async def statuses(self, ids: Sequence[str], *, ended: bool = False) -> list[dict[str, Any]]:
        """How they stand; or, how all have ended."""
        found = []
        deadline = time.monotonic() + SECONDS
        async with self.installation.client() as http:
            for each in ids:
                while True:
                    params = {"wait": "20"} if ended else {}
                    async with http.get(f"/v1/uploads/{each}", params=params) as answer:
                        status = await answer.json()
                    if status["ended"] or not ended or time.monotonic() > deadline:
                        break
                found.append(status)
        return found

    async def reset(self) -> None:
        async with self.installation.client() as http, http.post(f"/v1/services/{VAULT}/reset") as answer:
            assert answer.ok, await answer.text()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def certpipe(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    """One for all tests: its vault is given few uploads at once, and its answers are waited for briefly."""
    settings = {"CERTPIPE_PAC_LIMITS": f"{VAULT}={AT_ONCE}/100", "CERTPIPE_PAC_TIMEOUT_SECONDS": "2"}
    installation = await Installation(tmp_path_factory.mktemp("services") / "data", **settings).start()
    yield installation
    assert await installation.stop() == 0, installation.log
    assert "Traceback" not in installation.log


@pytest_asyncio.fixture(loop_scope="module")
async def pac(certpipe: Installation) -> AsyncIterator[Scene]:
    """It is well, before and after."""
    async with aiohttp.ClientSession() as http:
        scene = Scene(certpipe, http)
        yield scene
        await scene.fault()
        await scene.reset()


def attempts(statuses: Sequence[Mapping[str, Any]]) -> int:
    return sum(status["attempt"] for status in statuses)


def told(statuses: Sequence[Mapping[str, Any]], kind: str) -> int:
    return sum(step["type"] == kind for status in statuses for step in status["history"])


@pytest.mark.parametrize("name", ["down", "hung", "asks to wait", "refuses the account"])
async def test_uploads_wait_without_attempts_the_other_service_goes_on_and_all_arrive_after(
    pac: Scene, name: str
) -> None:
    await pac.fault(FAULTS[name])
    waiting = await pac.send("csd", UPLOADS)
    await pac.until("open", "half_open")
    await pac.until_waiting(UPLOADS - AT_ONCE)  # but for those that try it, which take a while where it hangs
    before = attempts(await pac.statuses(waiting))

    others = await pac.send("fiel", OTHERS)
    ends = await pac.statuses(others, ended=True)
    assert Counter(status["state"] for status in ends) == {"forwarded": OTHERS}
    assert (await pac.services())[VAULT]["state"] != "closed"
    assert (await pac.services())[EFISCO]["state"] == "closed"
    assert attempts(ends) == 0

    if name != "refuses the account":
        await pac.until_struck(2)  # it is tried again and again
    later = await pac.statuses(waiting)
    assert attempts(later) == before <= 5
    assert {status["state"] for status in later} == {"stored"}
    assert told(later, "destination.unavailable") == 1

    await pac.fault()
    if name == "refuses the account":
        assert (await pac.services())[VAULT]["code"] == "pac_auth"
        await pac.reset()
    ends = await pac.statuses(waiting, ended=True)
    assert Counter(status["state"] for status in ends) == {"forwarded": UPLOADS}, pac.installation.log
    assert told(ends, "destination.unavailable") == told(ends, "destination.recovered") == 1
    await pac.until("closed")
    assert (await pac.services())[VAULT]["waiting"] == 0


async def test_of_a_service_that_fails_half_the_time_all_arrive_and_nothing_is_given_up(pac: Scene) -> None:
    await pac.fault(FAULTS["half of it fails"])
    sent = await pac.send("csd", UPLOADS)
    others = await pac.send("fiel", OTHERS)
    ends = await pac.statuses(others, ended=True)
    assert Counter(status["state"] for status in ends) == {"forwarded": OTHERS}
    await pac.until_struck(1)
    await pac.fault()
    ends = await pac.statuses(sent, ended=True)
    assert Counter(status["state"] for status in ends) == {"forwarded": UPLOADS}, pac.installation.log


async def test_killed_while_a_service_is_left_alone_the_next_process_finds_what_waits(pac: Scene) -> None:
    await pac.fault(FAULTS["down"])
    waiting = await pac.send("csd", UPLOADS)
    await pac.until("open")
    await pac.until_waiting(UPLOADS - 1)
    await pac.installation.kill()
    await pac.installation.start()  # with a PAC that is well again
    ends = await pac.statuses(waiting, ended=True)
    assert Counter(status["state"] for status in ends) == {"forwarded": UPLOADS}, pac.installation.log
    await pac.until("closed")


async def test_a_slow_service_with_little_room_takes_its_time_and_the_other_none(pac: Scene) -> None:
    """So many at a time, a second each: the others wait for their turn, which is no failure."""
    await pac.fault({"kind": "delay", "seconds": 1, "match": {"service": "vault", "method": "POST"}})
    slow = await pac.send("csd", UPLOADS)
    quick = await pac.send("fiel", OTHERS)
    ends = await pac.statuses(quick, ended=True)
    left = await pac.statuses(slow)
    assert Counter(status["state"] for status in ends) == {"forwarded": OTHERS}
    assert sum(status["ended"] for status in left) < UPLOADS
    ends = await pac.statuses(slow, ended=True)
    assert Counter(status["state"] for status in ends) == {"forwarded": UPLOADS}, pac.installation.log
    assert attempts(ends) == 0
    assert told(ends, "upload.retried") == 0
