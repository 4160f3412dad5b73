"""An older certificate that is being sent is not overtaken, however often its message comes."""

import asyncio

from certpipe.core.ports.runtime import Held
from schemas.messages import UploadRef
from tests.integration.history import several, somebody_waits
from tests.integration.storehouse import forwarded, postponed, storehouse


async def test_what_was_replaced_while_it_is_being_sent_does_not_end_when_its_message_comes_again(
    database_url: str,
) -> None:
    async with storehouse(database_url) as house:
        old = await house.stored()
        assert [one.ref for one in await house.forward.load([old])] == [old]
        new = await house.stored()
        assert await house.forward.load([old]) == []
        row = await house.row(old.id)
        assert (row["state"], row["epoch"]) == ("stored", old.epoch)
        assert 0 < row["due_in"] <= 1
        assert await house.forward.load([new]) == []
        await house.forward.settle([forwarded(old)])
        assert [one.ref for one in await house.forward.load([new])] == [new]


async def test_it_ends_when_its_attempt_has(database_url: str) -> None:
    async with storehouse(database_url) as house:
        old = await house.stored()
        await house.forward.load([old])
        await house.forward.settle([postponed(old)])
        await house.stored()
        assert await house.forward.load([UploadRef(id=old.id, epoch=(await house.row(old.id))["epoch"])]) == []
        assert (await house.row(old.id))["state"] == "superseded"


async def test_what_is_replaced_while_a_batch_of_it_waits_for_a_row_is_not_sent_after_what_replaced_it(
    database_url: str,
) -> None:
    async with storehouse(database_url) as house:
        old = await house.stored()
        (another,) = await several(house, 1)
        newer = await house.kept(*await house.encrypted())
        async with house.database.transaction() as session:
            await session.execute("UPDATE certpipe.uploads SET attempt = attempt WHERE id = $1", another.id)
            loading = asyncio.create_task(house.forward.load([old, another]))
            await somebody_waits(house)
            (new,) = await house.persist.settle([newer])
            assert [one.ref for one in await house.forward.load([new])] == [new]
        assert [one.ref for one in await loading] == [another]
        row = await house.row(old.id)
        assert row["due_in"] <= 0, "its end is not waited for"
        assert await house.forward.load([old]) == []
        assert (await house.row(old.id))["state"] == "superseded"


async def test_what_is_replaced_while_its_second_message_waits_for_a_row_is_waited_for(database_url: str) -> None:
    """It may be on its way, by the first."""
    async with storehouse(database_url) as house:
        old = await house.stored()
        (another,) = await several(house, 1)
        await house.forward.load([old])
        newer = await house.kept(*await house.encrypted())
        async with house.database.transaction() as session:
            await session.execute("UPDATE certpipe.uploads SET attempt = attempt WHERE id = $1", another.id)
            loading = asyncio.create_task(house.forward.load([old, another]))
            await somebody_waits(house)
            (new,) = await house.persist.settle([newer])
        assert [one.ref for one in await loading] == [another]
        assert await house.forward.load([new]) == []
        await house.forward.settle([forwarded(old)])
        assert [one.ref for one in await house.forward.load([new])] == [new]


async def test_an_attempt_that_waited_for_a_row_holds_back_what_is_newer(database_url: str) -> None:
    """Its message came twice, and what the one before had put off was written while this one waited."""
    async with storehouse(database_url) as house:
        (another,) = await several(house, 1)
        old = await house.stored()
        async with house.database.transaction() as session:
            await session.execute("UPDATE certpipe.uploads SET attempt = attempt WHERE id = $1", another.id)
            loading = asyncio.create_task(house.forward.load([another, old]))
            await somebody_waits(house)
            await house.forward.settle([Held(old, 1.0)])
        assert [one.ref for one in await loading] == [another, old]
        new = await house.stored()
        assert await house.forward.load([new]) == []
