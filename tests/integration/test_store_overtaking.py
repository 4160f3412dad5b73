"""An older certificate that is being sent is not overtaken, however often its message comes."""

from schemas.messages import UploadRef
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
