import asyncio

from certpipe.core.ports.webhooks import Attempted, Health
from certpipe.notify.settling import LAST_TRIES, MOST, Settler
from schemas.webhooks import DeliveryState
from tests.fakes import AT, HandClock
from tests.unit.notify.queue import MemoryDeliveries, answered, claimed, target, ticking


def delivered(of: MemoryDeliveries, count: int) -> list[Attempted]:
    to = target()
    return [
        Attempted(claimed(to.id, place), answered(204).attempt, DeliveryState.DELIVERED, None)
        for place in of.add(to, count)
    ]


async def test_what_comes_together_is_written_together() -> None:
    clock = HandClock()
    store = MemoryDeliveries(clock)
    settler = Settler(store, clock)
    for each in delivered(store, MOST + 3):
        settler.put(each, None)
    settler.close()
    await settler.run()
    assert store.settles == [MOST, 3]
    assert len(settler) == 0


async def test_while_the_database_is_away_results_are_kept_and_written_when_it_is_back() -> None:
    clock = HandClock()
    store = MemoryDeliveries(clock)
    settler = Settler(store, clock)
    (one,) = delivered(store, 1)
    store.away = True
    running = asyncio.create_task(settler.run())
    settler.put(one, Health(one.claimed.endpoint_id, AT, 3, None, None))
    await ticking(clock, lambda: len(clock.waits) > LAST_TRIES + 3)
    assert len(settler) == 1
    store.away = False
    await ticking(clock, lambda: len(settler) == 0)
    assert store.targets_known[one.claimed.endpoint_id].failures == 3
    settler.close()
    await running


async def test_when_it_has_to_end_while_the_database_is_away_it_does_after_some_tries() -> None:
    clock = HandClock()
    store = MemoryDeliveries(clock)
    settler = Settler(store, clock)
    store.away = True
    settler.put(delivered(store, 1)[0], None)
    settler.close()
    running = asyncio.create_task(settler.run())
    await ticking(clock, running.done)
    assert len(clock.waits) == LAST_TRIES - 1


async def test_one_that_cannot_be_written_does_not_keep_its_neighbours() -> None:
    clock = HandClock()
    store = MemoryDeliveries(clock)
    settler = Settler(store, clock)
    store.breaks_on = 4
    results = delivered(store, 7)
    settler.put(results[0], Health(results[0].claimed.endpoint_id, AT, 2, None, None))
    for each in results[1:]:
        settler.put(each, None)
    settler.close()
    await settler.run()
    states = [row.state for row in store.rows.values()]
    assert states.count(DeliveryState.DELIVERED) == 6
    assert states[3] is DeliveryState.PENDING
    assert store.targets_known[results[0].claimed.endpoint_id].failures == 2
