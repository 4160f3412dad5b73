"""`/v1/services`: what operators see and do when a PAC's service is left alone."""

from collections.abc import AsyncIterator

import pytest

from certpipe.ingress.service_examples import SERVICE_EXAMPLES
from schemas.services import ServiceList, ServiceState
from tests.integration.door import Door, open_door

NAME = "sw-vault"


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with open_door() as running:
        listed = SERVICE_EXAMPLES[ServiceList]
        assert isinstance(listed, ServiceList)
        running.services.known.update({view.name: view for view in listed.items})
        yield running


async def test_an_operator_sees_which_services_are_used_and_how_many_uploads_wait(door: Door) -> None:
    async with door.call("GET", "/v1/services", subject="root") as answer:
        assert answer.status == 200
        found = ServiceList.model_validate_json(await answer.read())
    assert list(found.items) == list(door.services.known.values())


async def test_an_operator_closes_one_by_hand(door: Door) -> None:
    async with door.call("POST", f"/v1/services/{NAME}/reset", subject="root") as answer:
        assert (answer.status, (await answer.json())["state"]) == (200, "closed")
    assert door.services.known[NAME].state is ServiceState.CLOSED


@pytest.mark.parametrize("name", ["nobody", "SW", "a" * 64, "%00", "sw_vault"])
async def test_a_service_that_is_none_is_not_found(door: Door, name: str) -> None:
    async with door.call("POST", f"/v1/services/{name}/reset", subject="root") as answer:
        assert answer.status == 404


@pytest.mark.parametrize("subject", ["olivia", "mario", "stranger"])
async def test_nobody_else_sees_or_does_anything(door: Door, subject: str) -> None:
    for method, path in (("GET", "/v1/services"), ("POST", f"/v1/services/{NAME}/reset")):
        async with door.call(method, path, subject=subject) as answer:
            assert (answer.status, (await answer.json())["code"]) == (403, "forbidden")
    assert door.services.known[NAME].state is ServiceState.OPEN
