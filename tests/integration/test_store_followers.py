"""Who asked to be told of an upload: written with it, and forgotten some day."""

import asyncio
from uuid import UUID

from certpipe.core.ids import uuid7
from certpipe.core.ports.doors import Follower, NewUpload
from certpipe.notify.publishing import CURSOR
from tests.integration.storehouse import Storehouse, refused, storehouse
from tests.integration.toldhouse import NOW, Toldhouse


def _followed(house: Storehouse, follower: Follower | None, upload_id: UUID | None = None) -> NewUpload:
    return house.new(id=upload_id, follower=follower)


async def test_who_follows_is_written_with_the_upload_once_and_by_the_first_alone(database_url: str) -> None:
    async with storehouse(database_url) as house:
        upload = _followed(house, Follower("erp.answers\0", "c-\ud8001"))
        for again in (upload, _followed(house, Follower("elsewhere", None), upload.id)):
            assert (await house.intake.accept(again)).ref.id == upload.id
        alone, nameless = _followed(house, None), _followed(house, Follower("erp.answers", None))
        await asyncio.gather(*(house.intake.accept(each) for each in (alone, nameless, alone)))
        rows = await house.database.fetch("SELECT upload_id, reply_to, correlation_id FROM certpipe.followers")
        assert {tuple(row) for row in rows} == {
            (upload.id, "erp.answers\N{REPLACEMENT CHARACTER}", "c-?1"),
            (nameless.id, "erp.answers", None),
        }


async def test_an_upload_that_cannot_be_taken_has_no_follower(database_url: str) -> None:
    async with storehouse(database_url) as house:
        good, bad = _followed(house, Follower("q", None)), house.new(party=uuid7(), follower=Follower("q", None))
        await asyncio.gather(*(house.intake.accept(each) for each in (good, bad)), return_exceptions=True)
        assert await house.count("followers") == await house.count("followers", "upload_id = $1", good.id) == 1


async def test_who_follows_is_forgotten_a_day_after_the_end_and_not_before(database_url: str) -> None:
    async with storehouse(database_url) as house:
        refs = [(await house.intake.accept(_followed(house, Follower("q", None)))).ref for _ in range(5)]
        ended, fresh, waiting, _, gone = refs
        await house.validate.settle([refused(ended), refused(fresh)])
        ages = {ended: 25, fresh: 23, waiting: 25}
        for ref, age in ages.items():
            await house.database.execute(
                "UPDATE certpipe.uploads SET updated_at = now() - make_interval(hours => $2) WHERE id = $1", ref.id, age
            )
        await house.database.execute("DELETE FROM certpipe.uploads WHERE id = $1", gone.id)
        await published(house)
        await house.backlog.sweep()
        assert await house.count("followers") == 5, "none is looked at before its day"
        await house.database.execute("UPDATE certpipe.followers SET look_at = now() - interval '1 second'")
        await house.backlog.sweep()
        rows = await house.database.fetch("SELECT upload_id FROM certpipe.followers WHERE look_at > now()")
        assert {row["upload_id"] for row in rows} == {ref.id for ref in refs} - {ended.id, gone.id}
        assert await house.count("followers") == 3


async def test_who_follows_is_kept_while_the_broker_has_not_got_the_last_event(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ref = (await house.intake.accept(_followed(house, Follower("q", None)))).ref
        await house.validate.settle([refused(ref)])
        old = "UPDATE certpipe.followers SET look_at = now() - interval '1 second'"
        await house.database.execute("UPDATE certpipe.uploads SET updated_at = now() - interval '2 days'")
        for get_on, left in ((nothing, 1), (placed, 1), (published, 0)):
            await get_on(house)
            await house.database.execute(old)
            await house.backlog.sweep()
            assert await house.count("followers") == left


async def nothing(_: Storehouse) -> None:
    """No relay runs."""


async def placed(house: Storehouse) -> None:
    """Every event has its place, and the broker got the first."""
    telling, owner = Toldhouse(house), uuid7()
    await telling.placed()
    await telling.cursors.take(CURSOR, owner, NOW, NOW)
    await telling.cursors.advance(CURSOR, owner, (await telling.all())[0].position)


async def published(house: Storehouse) -> None:
    """The broker got every event."""
    telling, owner = Toldhouse(house), uuid7()
    await telling.placed()
    await telling.cursors.take(CURSOR, owner, NOW, NOW)
    await telling.cursors.advance(CURSOR, owner, await telling.feed.last())


async def test_followers_that_have_piled_up_are_all_swept(database_url: str) -> None:
    async with storehouse(database_url) as house:
        await house.database.execute(
            "INSERT INTO certpipe.followers (upload_id, reply_to, look_at) "
            "SELECT gen_random_uuid(), 'q', now() - interval '1 day' FROM generate_series(1, 5001)"
        )
        await house.backlog.sweep()
        assert await house.count("followers") == 0
