import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from certpipe.core.ports.events import Told
from certpipe.core.ports.webhooks import SealedText
from certpipe.notify import delivery
from certpipe.notify.delivery import MOST_AT_ONCE, Deliverer
from certpipe.notify.lanes import FIRST_WIDTH
from certpipe.notify.schedule import Schedule
from certpipe.notify.sending import Sent
from schemas.webhooks import DeliveryState
from tests.fakes import AT, HandClock
from tests.unit.notify.queue import MemoryDeliveries, Opener, Receivers, answered, target, ticking

DELIVERED, PENDING, FAILED = DeliveryState.DELIVERED, DeliveryState.PENDING, DeliveryState.FAILED


@dataclass
class Bench:
    clock: HandClock = field(default_factory=HandClock)
    opener: Opener = field(default_factory=Opener)

    def __post_init__(self) -> None:
        self.store, self.receivers = MemoryDeliveries(self.clock), Receivers(self.clock)
        self.deliverer = Deliverer(
            deliveries=self.store,
            opener=self.opener,
            sender=self.receivers,
            clock=self.clock,
            at_once=16,
            timeout=15.0,
            schedule=Schedule(jitter=0.0),
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        stopping = asyncio.Event()
        running = asyncio.create_task(self.deliverer.run(stopping))
        yield
        stopping.set()
        async with asyncio.timeout(30):
            await running


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_what_is_due_at_the_start_is_delivered(bench: Bench) -> None:
    to = target()
    bench.store.add(to, 30)
    async with bench.running():
        await bench.store.until(lambda: bench.store.states(to) == [DELIVERED] * 30)
    assert sorted(place for _, place in bench.receivers.came) == list(range(1, 31))


async def test_an_endpoint_that_is_woken_gets_its_events_without_a_look_around(bench: Bench) -> None:
    to = target()
    async with bench.running():
        await ticking(bench.clock, lambda: len(bench.clock.waits) > 0)
        bench.store.add(to)
        bench.deliverer.wake([to.id])
        await bench.store.until(lambda: bench.store.states(to) == [DELIVERED])


async def test_without_a_wake_it_looks_every_second(bench: Bench) -> None:
    to = target()
    async with bench.running():
        await ticking(bench.clock, lambda: len(bench.clock.waits) > 0)
        bench.store.add(to)
        await ticking(bench.clock, lambda: bench.store.states(to) == [DELIVERED])


async def test_many_events_take_few_claims_and_few_settlings(bench: Bench) -> None:
    to = target()
    bench.store.add(to, 3_000)
    async with bench.running():
        await bench.store.until(lambda: set(bench.store.states(to)) == {DELIVERED})
    assert len(bench.store.claims) < 60
    assert bench.receivers.most[to.id] == 16


async def test_of_many_endpoints_each_gets_its_turn_at_once_in_claims_that_are_not_too_large(bench: Bench) -> None:
    all_of_them = [target() for _ in range(100)]
    for to in all_of_them:
        bench.store.add(to, 20)
    async with bench.running():
        await bench.store.until(lambda: {row.state for row in bench.store.rows.values()} == {DELIVERED})
    assert max(sum(rooms.values()) for rooms in bench.store.claims) <= MOST_AT_ONCE


async def test_keys_are_opened_once_and_again_only_when_they_are_others(bench: Bench) -> None:
    to = target()
    bench.store.add(to, 100)
    async with bench.running():
        await bench.store.until(lambda: set(bench.store.states(to)) == {DELIVERED})
        for changed in (replace(to, version=2), replace(to, version=3, headers=SealedText("webhook-2.v1", b"sealed"))):
            assert bench.opener.opened == [to.id]
            bench.store.targets_known[to.id] = changed
            bench.store.add(to)
            bench.deliverer.wake([to.id])
            await bench.store.until(lambda: set(bench.store.states(to)) == {DELIVERED})
    assert bench.opener.opened == [to.id, to.id]


async def test_an_endpoint_that_hangs_holds_up_no_other(bench: Bench) -> None:
    hanging, quick = target(), target()
    bench.receivers.hang[hanging.id] = asyncio.Event()
    bench.store.add(hanging, 500)
    bench.store.add(quick, 500)
    async with bench.running():
        await bench.store.until(lambda: set(bench.store.states(quick)) == {DELIVERED})
        assert set(bench.store.states(hanging)) == {PENDING}
        assert bench.receivers.at_once[hanging.id] == FIRST_WIDTH
        bench.receivers.hang[hanging.id].set()


async def test_many_that_hang_with_all_that_may_be_claimed_hold_up_no_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "MOST_CLAIMED", 20)
    hanging, quick = [target() for _ in range(4)], target()
    for to in hanging:
        bench.receivers.hang[to.id] = asyncio.Event()
        bench.store.add(to, 20)
    async with bench.running():
        await bench.receivers.until(2 * FIRST_WIDTH)
        bench.store.add(quick, 30)
        bench.deliverer.wake([quick.id])
        await ticking(bench.clock, lambda: set(bench.store.states(quick)) == {DELIVERED})
        for to in hanging:
            assert set(bench.store.states(to)) == {PENDING}
            bench.receivers.hang[to.id].set()


async def test_whoever_waits_for_a_claim_gets_it_before_those_who_had_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "MOST_AT_ONCE", 4)
    all_of_them = [target() for _ in range(12)]
    for to in all_of_them:
        bench.store.add(to, 100)
    async with bench.running():
        await bench.store.until(lambda: {row.state for row in bench.store.rows.values()} == {DELIVERED})
    turns = [endpoint_id for rooms in bench.store.claims[:36] for endpoint_id in rooms]
    for start in range(24):
        assert len(set(turns[start : start + 12])) > 10, "nobody comes twice while others wait"


async def test_what_was_claimed_is_not_sent_to_an_endpoint_that_its_owner_disabled(bench: Bench) -> None:
    to = target()
    bench.receivers.hang[to.id] = asyncio.Event()
    bench.store.add(to, 12)
    async with bench.running():
        await bench.receivers.until(FIRST_WIDTH)
        bench.store.disabled[to.id] = "owner"
        await ticking(bench.clock, lambda: bench.deliverer._lanes[to.id].held == FIRST_WIDTH)
        bench.receivers.hang[to.id].set()
        await bench.store.until(lambda: bench.store.states(to).count(DELIVERED) == FIRST_WIDTH)
    assert len(bench.receivers.came) == FIRST_WIDTH


async def test_what_was_claimed_before_a_change_is_sent_as_the_endpoint_is_now(bench: Bench) -> None:
    to = target()
    bench.receivers.hang[to.id] = asyncio.Event()
    bench.store.add(to, 12)
    async with bench.running():
        await bench.receivers.until(FIRST_WIDTH)
        bench.store.targets_known[to.id] = replace(to, version=2, url="https://elsewhere.example/")
        await ticking(bench.clock, lambda: bench.deliverer._lanes[to.id].target.version == 2)
        bench.receivers.hang[to.id].set()
        await bench.store.until(lambda: set(bench.store.states(to)) == {DELIVERED})
    assert bench.receivers.urls == [to.url] * FIRST_WIDTH + ["https://elsewhere.example/"] * (12 - FIRST_WIDTH)


async def test_a_410_of_the_address_before_does_not_end_the_endpoint_at_its_new_one(bench: Bench) -> None:
    to = target()
    bench.receivers.hang[to.id] = asyncio.Event()
    bench.receivers.answers[to.id] = lambda _: answered(410, at=bench.clock.now())
    bench.store.add(to, 12)
    async with bench.running():
        await bench.receivers.until(FIRST_WIDTH)
        moved = replace(to, version=2, changed_at=AT + timedelta(seconds=1), url="https://elsewhere.example/")
        bench.store.targets_known[to.id] = moved
        await ticking(bench.clock, lambda: bench.deliverer._lanes[to.id].target.version == 2)
        bench.receivers.hang.pop(to.id).set()
        await bench.store.until(lambda: sum(len(row.log) for row in bench.store.of(to)) >= FIRST_WIDTH)
        bench.receivers.answers.clear()
        bench.clock.advance(6)
        await ticking(bench.clock, lambda: set(bench.store.states(to)) == {DELIVERED})
    assert not bench.store.disabled


async def test_it_tries_by_the_schedule_for_seventy_five_hours_and_then_calls_it_failed(bench: Bench) -> None:
    to = target()
    bench.receivers.answers[to.id] = lambda _: answered(500, at=bench.clock.now())
    bench.store.add(to)
    began = bench.clock.now()
    gaps = []
    async with bench.running():
        for attempts in range(1, 11):
            await ticking(bench.clock, lambda attempts=attempts: len(bench.store.of(to)[0].log) == attempts)  # type: ignore[misc] # mypy cannot infer such a lambda
            due = await bench.store.next_due()
            if due is not None:
                gaps.append(due - bench.clock.now())
                bench.clock.at = due
    assert gaps == [delay for attempts in range(1, 10) if (delay := Schedule(jitter=0.0).delay(attempts))]
    assert bench.store.states(to) == [FAILED]
    assert bench.clock.now() - began > timedelta(hours=75)


async def test_after_five_failures_on_end_only_one_probe_is_burnt_until_one_succeeds(bench: Bench) -> None:
    to = target()
    working = False

    def answer(_: Told) -> Sent:
        return answered(200 if working else 500, at=bench.clock.now())

    bench.receivers.answers[to.id] = answer
    bench.store.add(to, 40)
    async with bench.running():
        await ticking(bench.clock, lambda: bench.store.targets_known[to.id].paused_until is not None)
        burnt = len(bench.receivers.came)
        assert burnt < 5 + FIRST_WIDTH
        paused_until = bench.store.targets_known[to.id].paused_until
        assert paused_until is not None
        bench.clock.at = paused_until
        await ticking(bench.clock, lambda: bench.store.targets_known[to.id].failures == 6)
        assert len(bench.receivers.came) == burnt + 1
        working = True
        bench.clock.advance(10)
        await ticking(bench.clock, lambda: bench.store.states(to).count(DELIVERED) >= 40 - burnt - 1)
        assert bench.store.targets_known[to.id].failures == 0
        bench.clock.advance(3600)
        await ticking(bench.clock, lambda: set(bench.store.states(to)) == {DELIVERED})


async def test_gone_disables_at_once_and_only_once(bench: Bench) -> None:
    to = target()
    bench.receivers.answers[to.id] = lambda _: answered(410, at=bench.clock.now())
    bench.store.add(to, 40)
    async with bench.running():
        await ticking(bench.clock, lambda: bench.store.disabled == {to.id: "gone"})
        came = len(bench.receivers.came)
        bench.deliverer.wake([to.id])
        waits = len(bench.clock.waits)
        await ticking(bench.clock, lambda: len(bench.clock.waits) > waits + 3)
    assert came == len(bench.receivers.came) <= FIRST_WIDTH
    assert set(bench.store.states(to)) == {PENDING}


async def test_an_endpoint_that_is_enabled_again_goes_on(bench: Bench) -> None:
    to = target()
    bench.receivers.answers[to.id] = lambda _: answered(410, at=bench.clock.now())
    bench.store.add(to)
    async with bench.running():
        await ticking(bench.clock, lambda: bench.store.disabled == {to.id: "gone"})
        bench.receivers.answers.clear()
        bench.store.disabled.clear()
        bench.store.targets_known[to.id] = target(to.id, version=9)
        bench.clock.advance(6)
        await ticking(bench.clock, lambda: bench.store.states(to) == [DELIVERED])


async def test_five_days_of_failures_disable(bench: Bench) -> None:
    to = target()
    bench.receivers.answers[to.id] = lambda _: answered(500, at=bench.clock.now())
    bench.store.add(to)
    async with bench.running():
        await ticking(bench.clock, lambda: bench.store.targets_known[to.id].failures == 1)
        bench.clock.advance(5 * 24 * 3600)
        await ticking(bench.clock, lambda: bench.store.disabled == {to.id: "failing"})


async def test_keys_that_cannot_be_opened_are_told_in_the_log_of_one_and_burn_nothing(bench: Bench) -> None:
    to = target()
    bench.opener.refuses = True
    bench.store.add(to, 20)
    async with bench.running():
        await ticking(bench.clock, lambda: any(row.log for row in bench.store.of(to)))
        waits = len(bench.clock.waits)
        await ticking(bench.clock, lambda: len(bench.clock.waits) > waits + 3)
    assert [attempt.error for row in bench.store.of(to) for attempt in row.log] == ["key_unavailable"]
    assert set(bench.store.states(to)) == {PENDING}
    assert not bench.receivers.came
    assert not bench.store.targets_known[to.id].failures


async def test_a_defect_of_ours_costs_one_attempt_and_no_failure(bench: Bench) -> None:
    to = target()

    def broken(_: Told) -> Sent:
        raise ZeroDivisionError

    bench.receivers.answers[to.id] = broken
    bench.store.add(to)
    async with bench.running():
        await ticking(bench.clock, lambda: bool(bench.store.of(to)[0].log))
        del bench.receivers.answers[to.id]
        bench.clock.advance(60)
        await ticking(bench.clock, lambda: bench.store.states(to) == [DELIVERED])
    assert [attempt.error for attempt in bench.store.of(to)[0].log] == ["internal", None]


async def test_a_database_that_goes_loses_no_result(bench: Bench) -> None:
    to = target()
    bench.receivers.hang[to.id] = asyncio.Event()
    bench.store.add(to, 3)
    async with bench.running():
        await bench.receivers.until(3)
        bench.store.away = True
        bench.receivers.hang[to.id].set()
        waits = len(bench.clock.waits)
        await ticking(bench.clock, lambda: len(bench.clock.waits) > waits + 3)
        bench.store.away = False
        await ticking(bench.clock, lambda: bench.store.states(to) == [DELIVERED] * 3)
    assert len(bench.receivers.came) == 3


async def test_stopping_finishes_what_is_being_sent_and_writes_it_down(bench: Bench) -> None:
    to = target()
    bench.receivers.hang[to.id] = asyncio.Event()
    bench.store.add(to, 10)
    stopping = asyncio.Event()
    running = asyncio.create_task(bench.deliverer.run(stopping))
    await bench.receivers.until(FIRST_WIDTH)
    stopping.set()
    await ticking(bench.clock, lambda: bench.deliverer._lanes[to.id].held == FIRST_WIDTH)
    assert not running.done()
    bench.receivers.hang[to.id].set()
    async with asyncio.timeout(30):
        await running
    assert bench.store.states(to).count(DELIVERED) == FIRST_WIDTH
    assert len(bench.receivers.came) == FIRST_WIDTH
