"""Of two deliveries of one upload at the same time, one is sent: for as long as its sender lives."""

import asyncio
from dataclasses import replace

from certpipe.core.clock import SystemClock
from certpipe.store.sender import Sender
from schemas.messages import UploadRef
from tests.integration.storehouse import postponed, storehouse


async def test_what_a_living_process_is_sending_is_given_to_nobody_else(database_url: str) -> None:
    async with storehouse(database_url) as house:
        sender = Sender(house.url, SystemClock())
        ours, others = replace(house.forward, sender=sender.number), replace(house.forward, sender=1)
        ref = await house.stored()
        async with sender.living():
            assert [one.ref for one in await ours.load([ref])] == [ref]
            assert await others.load([ref]) == []
            assert await ours.load([ref]) == []
            row = await house.row(ref.id)
            assert (row["state"], row["epoch"]) == ("stored", ref.epoch)
            assert 0 < row["due_in"] <= 1
        (again,) = await others.load([ref])
        assert again.upload.open_intents, "whoever takes over from a dead process looks first"


async def test_of_two_loads_at_once_one_gets_it(database_url: str) -> None:
    async with storehouse(database_url) as house:
        sender = Sender(house.url, SystemClock())
        ledger = replace(house.forward, sender=sender.number)
        ref = await house.stored()
        async with sender.living():
            loads = await asyncio.gather(*(ledger.load([ref]) for _ in range(6)))
        assert [one.ref for load in loads for one in load] == [ref]


async def test_the_next_attempt_is_not_held_up_by_the_one_before(database_url: str) -> None:
    async with storehouse(database_url) as house:
        sender = Sender(house.url, SystemClock())
        ledger = replace(house.forward, sender=sender.number)
        ref = await house.stored()
        async with sender.living():
            await ledger.load([ref])
            await ledger.settle([postponed(ref)])
            next_ref = UploadRef(id=ref.id, epoch=(await house.row(ref.id))["epoch"])
            assert [one.ref for one in await ledger.load([next_ref])] == [next_ref]
