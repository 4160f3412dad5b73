"""The notify worker with the real store and real receivers."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import web

from certpipe.crypto.keymaking import init_keys
from certpipe.notify.schedule import DELAYS
from schemas.events import EventType
from schemas.webhooks import DeliveryState, DisabledBecause
from tests.integration.notifyhouse import Notifyhouse, Receiver, notifyhouse, receiving


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[Notifyhouse]:
    async with notifyhouse(database_url, tmp_path) as made:
        yield made


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as made:
        yield made


def saying(status: int, **headers: str) -> web.Response:
    return web.Response(status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})


async def test_every_event_of_an_upload_arrives_signed_with_the_endpoint_s_headers(
    house: Notifyhouse, receiver: Receiver
) -> None:
    endpoint = await house.endpoint(receiver, headers={"X-Tenant": "mine"})
    async with house.notifying():
        await house.house.stored()
        await receiver.until(lambda: EventType.STORED in [each.event.type for each in receiver.got])
        await house.until(endpoint, lambda log, _: len(log) == 4 and all(each.state == "delivered" for each in log))
    told = await house.telling.all()
    assert sorted(receiver.ids) == sorted(each.event.id for each in told)
    assert {each.body for each in receiver.got} == {each.event.body() for each in told}
    assert {each.headers["x-tenant"] for each in receiver.got} == {"mine"}
    (attempt,) = (await house.log(endpoint))[0].attempts
    assert (attempt.status, attempt.error) == (204, None)


async def test_only_the_events_that_were_asked_for_arrive(house: Notifyhouse, receiver: Receiver) -> None:
    endpoint = await house.endpoint(receiver, EventType.STORED)
    async with house.notifying():
        await house.house.stored()
        await house.until(endpoint, lambda log, _: [each.state for each in log] == ["delivered"])
    assert [each.event.type for each in receiver.got] == [EventType.STORED]


async def test_a_failing_receiver_is_tried_ten_times_in_seventy_five_hours_and_then_replayed(
    house: Notifyhouse, receiver: Receiver
) -> None:
    endpoint = await house.endpoint(receiver)
    receiver.secret = ""  # whose clock does not jump along
    receiver.answer = lambda: saying(500)
    await house.telling.events(1)
    async with house.notifying():
        for attempts in range(1, 11):
            await house.until(endpoint, lambda log, _, n=attempts: bool(log) and len(log[0].attempts) == n)  # type: ignore[misc] # mypy cannot infer such a lambda
            due = await house.telling.deliveries.next_due()
            if due is not None:
                house.clock.jump_to(due)
        (delivery,) = await house.log(endpoint)
        assert delivery.state is DeliveryState.FAILED
        times = [attempt.at for attempt in delivery.attempts]
        for delay, (one, other) in zip(DELAYS, pairwise(times), strict=True):
            assert delay * 0.89 < (other - one).total_seconds() < delay * 1.11 + 330
        assert times[-1] - times[0] > timedelta(hours=67)
        assert len({each.headers["webhook-id"] for each in receiver.got}) == 1
        assert len({each.headers["webhook-timestamp"] for each in receiver.got}) == 10

        receiver.answer = lambda: saying(204)
        await house.telling.endpoints.replay(endpoint, delivery.id, now=house.clock.now())
        house.clock.ahead += timedelta(minutes=6)
        await house.until(endpoint, lambda log, _: log[0].state is DeliveryState.DELIVERED)
    view = await house.view(endpoint)
    assert (view.failures, view.failing_since, view.paused_until) == (0, None, None)
    assert len(receiver.got) == 11


async def test_a_receiver_that_is_gone_is_disabled_at_once_and_the_others_are_told(
    house: Notifyhouse, receiver: Receiver
) -> None:
    async with receiving() as other:
        gone, watching = await house.endpoint(receiver), await house.endpoint(other, EventType.ENDPOINT_DISABLED)
        receiver.answer = lambda: saying(410)
        async with house.notifying():
            await house.telling.events(1)
            await house.until(gone, lambda _, view: not view.enabled)
            await house.until(watching, lambda log, _: [each.state for each in log] == ["delivered"])
        assert (await house.view(gone)).disabled_because is DisabledBecause.GONE
        (told,) = other.got
        assert (told.event.data.endpoint_id, told.event.data.code) == (gone, "gone")


async def test_five_days_of_failure_disable(house: Notifyhouse, receiver: Receiver) -> None:
    endpoint = await house.endpoint(receiver)
    receiver.secret = ""
    receiver.answer = lambda: saying(503)
    await house.telling.events(1)
    async with house.notifying():
        await house.until(endpoint, lambda _, view: view.failures == 1)
        house.clock.ahead += timedelta(days=5, seconds=1)
        await house.until(endpoint, lambda _, view: not view.enabled)
    assert (await house.view(endpoint)).disabled_because is DisabledBecause.FAILING


async def test_a_receiver_that_asks_for_time_gets_it(house: Notifyhouse, receiver: Receiver) -> None:
    endpoint = await house.endpoint(receiver)
    receiver.answer = lambda: saying(429, Retry_After="7200")
    await house.telling.events(1)
    async with house.notifying():
        await house.until(endpoint, lambda log, _: bool(log) and len(log[0].attempts) == 1)
    (delivery,) = await house.log(endpoint)
    assert delivery.next_attempt_at is not None
    waits = delivery.next_attempt_at - delivery.attempts[0].at
    assert timedelta(hours=2) <= waits < timedelta(hours=2, minutes=1)


async def test_while_one_receiver_hangs_another_gets_its_events(house: Notifyhouse, receiver: Receiver) -> None:
    async with receiving() as hanging:
        hanging.hang = asyncio.Event()
        stuck, quick = await house.endpoint(hanging), await house.endpoint(receiver)
        async with house.notifying(patience=30.0):
            await house.telling.events(200)
            house.house.hinter.hint()
            await receiver.until(lambda: len(receiver.got) == 200)
            await house.until(quick, lambda log, _: {each.state for each in log} == {"delivered"})
            assert {each.state for each in await house.log(stuck)} == {"pending"}
            assert len(hanging.got) <= 16
            hanging.hang.set()


async def test_an_address_that_may_not_be_reached_is_told_in_the_log(house: Notifyhouse) -> None:
    endpoint = await house.endpoint(Receiver(url="https://10.1.2.3/hook"))
    await house.telling.events(1)
    async with house.notifying():
        await house.until(endpoint, lambda log, _: bool(log) and len(log[0].attempts) == 1)
    assert (await house.log(endpoint))[0].attempts[0].error == "forbidden_address"


async def test_keys_of_another_installation_are_told_in_the_log(
    house: Notifyhouse, receiver: Receiver, tmp_path: Path
) -> None:
    endpoint = await house.endpoint(receiver)
    await house.telling.events(5)
    house.folder = tmp_path / "others"
    init_keys(house.folder)
    async with house.notifying():
        await house.until(endpoint, lambda log, _: any(each.attempts for each in log))
    errors = [attempt.error for each in await house.log(endpoint) for attempt in each.attempts]
    assert errors == ["key_unavailable"]
    assert {each.state for each in await house.log(endpoint)} == {DeliveryState.PENDING}
