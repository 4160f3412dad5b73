"""The simulated SW and Efisco, spoken to as their documentation says."""

import asyncio
import json
import signal
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from certpipe.simulators.sw import start_simulator
from schemas.base import Kind
from tests.conformance.pac import MovableClock, Sample, running_pac, sample

FIELS = "/gestion/v1/api/certificates"


@dataclass
class Client:
    """Raw HTTP, with a token that may be set."""

    http: aiohttp.ClientSession
    url: str
    clock: MovableClock
    authorization: str = ""

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        headers = {"Authorization": self.authorization, **headers}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        async with self.http.request(method, self.url + path, data=data, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None) if answer.status != 204 else None

    async def login(self) -> Mapping[str, Any]:
        status, answer = await self.call("POST", "/v2/security/authenticate", {"user": "a", "password": "b"})
        assert (status, answer["status"]) == (200, "success")
        data: Mapping[str, Any] = answer["data"]
        self.authorization = f"Bearer {data['token']}"
        return data


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    clock = MovableClock()
    simulator = await start_simulator(clock=clock)
    async with aiohttp.ClientSession() as http:
        client = Client(http, simulator.url, clock)
        await client.login()
        yield client
    await simulator.stop()


def csd(one: Sample, **other: Any) -> dict[str, Any]:
    return {
        "type": "stamp",
        "b64Cer": b64encode(one.bundle.certificate).decode(),
        "b64Key": b64encode(one.bundle.private_key).decode(),
        "password": one.bundle.password,
    } | other


def fiel(one: Sample) -> dict[str, Any]:
    return {
        "publickey": b64encode(one.bundle.certificate).decode(),
        "privatekey": b64encode(one.bundle.private_key).decode(),
        "password": one.bundle.password,
    }


async def test_a_login_answers_as_documented(client: Client) -> None:
    data = await client.login()
    assert data["expires_in"] == int(client.clock.now().timestamp()) + 7_200
    assert data["tokeny_type"] == "Bearer"
    assert len(data["token"].split(".")) == 3
    status, answer = await client.call("POST", "/security/authenticate", user="a", password="b")
    assert (status, len(answer["data"]["token"].split("."))) == (200, 3)


@pytest.mark.parametrize("body", [{}, {"user": "a"}, {"user": "", "password": "b"}, {"user": 1, "password": 2}])
async def test_a_login_without_user_or_password_is_au2000(client: Client, body: Any) -> None:
    _, answer = await client.call("POST", "/v2/security/authenticate", body)
    assert answer["status"] == "error"
    assert answer["message"].startswith("AU2000 - ")


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer"])
async def test_the_scheme_of_a_token_may_have_any_case(client: Client, scheme: str) -> None:
    client.authorization = f"{scheme} {client.authorization.split()[1]}"
    assert (await client.call("GET", "/certificates"))[0] == 200


async def test_a_token_that_is_unknown_or_expired_is_refused(client: Client) -> None:
    client.clock.move(seconds=7_201)
    for authorization in (client.authorization, "Bearer a.b.c", "Basic YTpi", ""):
        client.authorization = authorization
        status, answer = await client.call("GET", "/certificates")
        assert (status, answer["status"]) == (401, "error")


async def test_a_csd_is_saved_listed_and_deleted(client: Client) -> None:
    one = sample(Kind.CSD)
    status, answer = await client.call("POST", "/certificates/save", csd(one))
    assert (status, answer) == (200, {"data": "CSD Guardados Correctamente.", "status": "success"})
    number, rfc = one.facts.number, one.facts.rfc
    info = (await client.call("GET", f"/certificates/{number}"))[1]["data"]
    assert info["certificate_number"] == number
    assert info["csd_certificate"] == b64encode(one.bundle.certificate).decode()
    assert (info["issuer_rfc"], info["is_active"], info["certificate_type"]) == (rfc, True, "stamp")
    for path in ("", f"/rfc/{rfc}", "/type/stamp"):
        assert (await client.call("GET", f"/certificates{path}"))[1]["data"] == [info]
    assert (await client.call("GET", f"/certificates/rfc/{rfc}/stamp"))[1]["data"] == info
    assert (await client.call("GET", "/certificates/rfc/XAXX010101000"))[1]["data"] == []
    assert (await client.call("DELETE", f"/certificates/{number}"))[1]["status"] == "success"
    for method in ("GET", "DELETE"):
        assert (await client.call(method, f"/certificates/{number}"))[0] == 404
    assert (await client.call("GET", f"/certificates/rfc/{rfc}/stamp"))[0] == 404


async def test_the_newest_active_csd_of_an_rfc_takes_the_place_of_the_other(client: Client) -> None:
    old, new = sample(Kind.CSD), sample(Kind.CSD, number="30001000000500000001")
    for one in (old, new):
        await client.call("POST", "/certificates/save", csd(one, is_active=True))
    assert not (await client.call("GET", f"/certificates/{old.facts.number}"))[1]["data"]["is_active"]
    active = (await client.call("GET", "/certificates/rfc/EKU9003173C9/stamp"))[1]["data"]
    assert active["certificate_number"] == new.facts.number


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"{", "[inventado] El cuerpo no es JSON"),
        ([], "[inventado] El cuerpo no es JSON"),
        (csd(sample(Kind.CSD), password=""), "Te hacen falta archivos o el password esta vacio"),
        (csd(sample(Kind.CSD), b64Key=None), "Te hacen falta archivos o el password esta vacio"),
        (csd(sample(Kind.CSD), b64Cer="no base64!"), "El certificado publico no es base64"),
        (csd(sample(Kind.CSD), b64Key="ñ"), "[inventado] La llave privada no es base64"),
        (csd(sample(Kind.CSD), b64Cer="AAAA"), "[inventado] El certificado no se pudo leer"),
        (csd(sample(Kind.FIEL)), "[inventado] El certificado es una FIEL; se requiere un CSD"),
    ],
    ids=["cut", "list", "no password", "no key", "bad cer", "bad key", "not a cer", "fiel"],
)
async def test_a_bad_csd_is_refused_and_not_counted(client: Client, body: Any, detail: str) -> None:
    status, answer = await client.call("POST", "/certificates/save", body)
    assert status == 400
    assert answer == {"message": "Certificados", "messageDetail": detail, "data": None, "status": "error"}
    assert (await client.call("GET", "/_received"))[1]["total"] == 0


async def test_efisco_creates_pages_and_deletes(client: Client) -> None:
    rfcs = [f"XAXX01010{index:04}" for index in range(5)]
    for index, rfc in enumerate(rfcs):
        one = sample(Kind.FIEL, number=f"3000100000050000{index:04}", rfc=rfc)
        answer = (await client.call("POST", f"{FIELS}/create/fiel", fiel(one)))[1]
        assert (answer["data"]["taxId"], answer["data"]["serialNumber"]) == (rfc, one.facts.number)
    seen: list[str] = []
    for page, expected in ((1, 2), (2, 2), (3, 1), (4, 0)):
        data = (await client.call("POST", f"{FIELS}/get/fiel?page={page}&per_page=2"))[1]["data"]
        assert len(data["records"]) == expected
        metadata = data["metaData"]
        assert (metadata["page"], metadata["perPage"], metadata["pageCount"], metadata["totalCount"]) == (page, 2, 3, 5)
        assert (metadata["links"]["next"] is None) is (page >= 3)
        seen += [record["taxId"] for record in data["records"]]
    assert sorted(seen) == rfcs
    assert (await client.call("DELETE", f"{FIELS}/{rfcs[0]}"))[0] == 200
    assert (await client.call("DELETE", f"{FIELS}/{rfcs[0]}"))[0] == 404
    assert (await client.call("POST", f"{FIELS}/get/fiel"))[1]["data"]["metaData"]["totalCount"] == 4
    assert (await client.call("POST", f"{FIELS}/get/fiel?page=0"))[0] == 400


async def test_efisco_keeps_one_fiel_per_rfc_and_refuses_a_csd(client: Client) -> None:
    for one in (sample(Kind.FIEL), sample(Kind.FIEL, number="30001000000500000001")):
        await client.call("POST", f"{FIELS}/create/fiel", fiel(one))
    records = (await client.call("POST", f"{FIELS}/get/fiel"))[1]["data"]["records"]
    assert [record["serialNumber"] for record in records] == ["30001000000500000001"]
    assert (await client.call("POST", f"{FIELS}/create/fiel", fiel(sample(Kind.CSD))))[0] == 400


async def test_a_lookup_at_efisco_reads_every_page() -> None:
    async with running_pac("efisco") as pac:
        await pac.connector.send(pac.good.bundle, pac.good.facts)
        for index in range(100):
            one = sample(Kind.FIEL, number=f"3000100000050000{index:04}", rfc=f"XAXX01010{index:04}")
            await pac.connector.send(one.bundle, one.facts)
        found = await pac.connector.find(pac.good.facts)
        assert found is not None
        assert found.reference == pac.good.facts.number
        assert await pac.connector.find(sample(Kind.FIEL, number="30001000000511111111").facts) is None


async def test_faults_are_shown_replaced_and_taken_away(client: Client) -> None:
    rule = {"kind": "status", "status": 500, "times": 3, "retry_after": "7"}
    for body in ([rule], rule, {"rules": [rule]}):
        status, answer = await client.call("PUT", "/_faults", body)
        assert (status, answer["rules"]) == (200, [rule | {"struck": 0}])
    assert (await client.call("GET", "/certificates"))[0] == 500
    assert (await client.call("GET", "/_faults"))[1]["rules"][0]["struck"] == 1
    assert (await client.call("DELETE", "/_faults"))[0] == 204
    assert (await client.call("GET", "/certificates"))[0] == 200


@pytest.mark.parametrize("body", [b"{", [{"kind": "fire"}], 7, {"rules": 7}, None])
async def test_a_fault_that_makes_no_sense_changes_nothing(client: Client, body: Any) -> None:
    await client.call("PUT", "/_faults", [{"kind": "html"}])
    assert (await client.call("PUT", "/_faults", body))[0] == 400
    assert (await client.call("GET", "/_faults"))[1]["rules"] == [{"kind": "html", "struck": 0}]


async def test_what_was_received_is_told_by_number_and_forgotten_on_request(client: Client) -> None:
    one = sample(Kind.CSD)
    for _ in range(2):
        await client.call("POST", "/certificates/save", csd(one))
    seen = (await client.call("GET", f"/_received?number={one.facts.number}"))[1]
    assert (seen["total"], seen["duplicates"], len(seen["items"])) == (2, 1, 2)
    assert seen["items"][0]["sha256"] == one.hashes()
    assert (await client.call("GET", "/_received?number=1"))[1]["items"] == []
    assert (await client.call("GET", "/_health"))[1] == {"status": "ok", "received": 2}
    assert (await client.call("DELETE", "/_received"))[0] == 204
    assert (await client.call("GET", "/_received"))[1]["total"] == 0


async def test_stopping_lets_go_of_those_who_hang() -> None:
    simulator = await start_simulator()
    async with aiohttp.ClientSession() as http:
        async with http.put(f"{simulator.url}/_faults", json=[{"kind": "hang"}]) as answer:
            assert answer.status == 200
        waiting = asyncio.create_task(http.get(f"{simulator.url}/certificates"))
        await _struck(http, simulator.url)
        await simulator.stop()
        with pytest.raises(aiohttp.ClientError):
            await waiting
    await simulator.stop()


async def _struck(http: aiohttp.ClientSession, url: str) -> None:
    """Return when the first fault has struck; each question is an answer of the server's, so this never spins idly."""
    while True:
        async with http.get(f"{url}/_faults") as answer:
            if (await answer.json())["rules"][0]["struck"]:
                return


async def test_the_command_says_where_it_listens_and_stops_on_sigterm() -> None:
    process = await _simulate("--port", "0", "--json")
    assert process.stdout is not None
    url = json.loads(await process.stdout.readline())["url"]
    async with aiohttp.ClientSession() as http, http.get(f"{url}/_health") as answer:
        assert (await answer.json())["status"] == "ok"
    process.send_signal(signal.SIGTERM)
    _, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")


async def test_the_command_refuses_a_port_that_is_taken() -> None:
    simulator = await start_simulator()
    process = await _simulate("--port", simulator.url.rpartition(":")[2])
    _, errors = await process.communicate()
    await simulator.stop()
    assert process.returncode == 2
    assert b"cannot listen on 127.0.0.1:" in errors
    assert b"--port" in errors
    assert b"Traceback" not in errors


async def _simulate(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from certpipe.cli import main; main()",
        "simulate",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
