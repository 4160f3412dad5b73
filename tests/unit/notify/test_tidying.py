import asyncio

from certpipe.notify.tidying import EVERY, Tidier
from tests.fakes import HandClock
from tests.unit.notify.queue import MemoryDeliveries, ticking


async def test_it_tidies_every_minute_also_after_the_database_was_away() -> None:
    clock = HandClock()
    store = MemoryDeliveries(clock)
    store.away = True
    stopping = asyncio.Event()
    running = asyncio.create_task(Tidier(store, clock).run(stopping))
    await ticking(clock, lambda: store.tidied >= 2, shorter_than=EVERY + 1)
    store.away = False
    await ticking(clock, lambda: store.tidied >= 4, shorter_than=EVERY + 1)
    assert set(clock.waits) == {EVERY}
    stopping.set()
    await running
