"""Answers that the simulator never gives: a server that says what it is told to."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web

from certpipe.connectors import Credentials, open_connectors, open_http
from certpipe.connectors.sw.efisco import MOST_PAGES, PER_PAGE
from certpipe.connectors.sw.transport import MOST_BYTES
from certpipe.core.clock import SystemClock
from certpipe.core.errors import AccountRefused, Unavailable, Uncertain
from certpipe.core.ports.connector import Connector
from schemas.base import Kind
from tests.conformance.pac import sample

CSD, FIEL = sample(Kind.CSD), sample(Kind.FIEL)
OTHER = "30001000000500000000"
Say = Callable[[web.BaseRequest], web.Response]


def data(value: Any) -> Say:
    return lambda _request: web.json_response({"status": "success", "data": value})


class Odd:
    """A server that answers everything by one function, and counts. `came`, `go`: see `slowly`."""

    def __init__(self) -> None:
        self.say: Say = data(None)
        self.asked = 0
        self.came, self.go = asyncio.Event(), asyncio.Event()
        self.go.set()

    def slowly(self) -> None:
        """From now on nobody is answered before `go`; `came` tells when somebody waits."""
        self.came.clear()
        self.go.clear()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked += 1
        self.came.set()
        answer = self.say(request)
        await self.go.wait()
        return answer


@pytest.fixture
def odd() -> Odd:
    return Odd()


@pytest.fixture
async def connectors(odd: Odd) -> AsyncIterator[dict[str, Connector]]:
    runner = web.ServerRunner(web.Server(odd.handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with open_http() as http:
        yield dict(
            open_connectors(
                sw_services_url=url,
                sw_api_url=url,
                sw_credentials=Credentials(token="one"),
                http=http,
                clock=SystemClock(),
            )
        )
    await runner.cleanup()


@pytest.mark.parametrize("nothing", [None, [], {}, ""])
async def test_a_success_without_data_is_a_lookup_that_found_nothing(
    connectors: dict[str, Connector], odd: Odd, nothing: Any
) -> None:
    odd.say = data(nothing)
    assert await connectors["sw-vault"].find(CSD.facts) is None
    assert await connectors["efisco"].find(FIEL.facts) is None


async def test_a_certificate_in_a_list_is_found_too(connectors: dict[str, Connector], odd: Odd) -> None:
    odd.say = data([{"certificate_number": OTHER}, {"certificate_number": CSD.facts.number}])
    assert await connectors["sw-vault"].find(CSD.facts) is not None


@pytest.mark.parametrize(
    "odd_data", [{"certificate_number": OTHER}, {"other": 1}, "text", 7, [1], {"certificate_number": 7}]
)
async def test_an_answer_about_something_else_cannot_tell(
    connectors: dict[str, Connector], odd: Odd, odd_data: Any
) -> None:
    odd.say = data(odd_data)
    with pytest.raises(Unavailable):
        await connectors["sw-vault"].find(CSD.facts)


@pytest.mark.parametrize(
    "odd_data",
    [
        "text",
        [1],
        {"records": [{}]},
        {"records": [{}], "metaData": None},
        {"records": [{}], "metaData": {"pageCount": "many"}},
        {"records": [{}], "metaData": {"pageCount": True}},
    ],
)
async def test_a_page_that_does_not_say_how_many_there_are_cannot_tell(
    connectors: dict[str, Connector], odd: Odd, odd_data: Any
) -> None:
    odd.say = data(odd_data)
    with pytest.raises(Unavailable):
        await connectors["efisco"].find(FIEL.facts)


async def test_a_vault_without_an_end_is_given_up(connectors: dict[str, Connector], odd: Odd) -> None:
    odd.say = data({"records": [{"serialNumber": OTHER}], "metaData": {"pageCount": 10**9}})
    with pytest.raises(Unavailable) as caught:
        await connectors["efisco"].find(FIEL.facts)
    assert caught.value.problems[0].code == "pac_lookup_limit"
    assert odd.asked == MOST_PAGES


async def test_pages_are_asked_for_by_a_post_without_a_body(connectors: dict[str, Connector], odd: Odd) -> None:
    asked: list[tuple[str, str, bool]] = []

    def say(request: web.BaseRequest) -> web.Response:
        asked.append((request.method, str(request.rel_url), request.can_read_body))
        return data(None)(request)

    odd.say = say
    await connectors["efisco"].find(FIEL.facts)
    assert asked == [("POST", f"/gestion/v1/api/certificates/get/fiel?page=1&per_page={PER_PAGE}", False)]


@pytest.mark.parametrize("odd_data", [None, [], "text", {"serialNumber": OTHER}, {"serialNumber": FIEL.facts.number}])
async def test_a_success_of_efisco_that_names_no_such_certificate_is_uncertain(
    connectors: dict[str, Connector], odd: Odd, odd_data: Any
) -> None:
    odd.say = data(odd_data)
    with pytest.raises(Uncertain):
        await connectors["efisco"].send(FIEL.bundle, FIEL.facts)


async def test_an_answer_without_an_end_is_not_read_to_its_end(connectors: dict[str, Connector], odd: Odd) -> None:
    """The answer would be a good one, if it were not so long."""
    number = CSD.facts.number
    good: dict[str, Any] = {
        "certificate_number": number,
        "serialNumber": number,
        "taxId": FIEL.facts.rfc,
        "records": [],
    }
    body = json.dumps({"status": "success", "data": good}).encode() + b" " * MOST_BYTES
    odd.say = lambda _request: web.Response(body=body, content_type="application/json")
    for connector, one in ((connectors["sw-vault"], CSD), (connectors["efisco"], FIEL)):
        with pytest.raises(Uncertain):
            await connector.send(one.bundle, one.facts)
        with pytest.raises(Unavailable):
            await connector.find(one.facts)


async def test_what_was_asked_before_the_account_was_mended_and_is_refused_after_is_not_remembered(
    connectors: dict[str, Connector], odd: Odd
) -> None:
    vault = connectors["sw-vault"]
    odd.say = lambda _request: web.json_response({}, status=401)
    odd.slowly()
    late = asyncio.create_task(vault.find(CSD.facts))
    await odd.came.wait()
    vault.forget_refusal()
    odd.say = data(None)
    odd.go.set()
    with pytest.raises(AccountRefused):
        await late
    assert await vault.find(CSD.facts) is None
