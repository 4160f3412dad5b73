"""Taking a certificate away; and that replacing one leaves no moment without."""

import asyncio
from uuid import UUID

from certpipe.core.ids import uuid7
from schemas.base import Kind
from schemas.status import State
from tests.integration.storehouse import forwarded, postponed, storehouse


async def test_what_is_removed_is_gone_and_told(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ref = await house.stored()
        await house.forward.settle([forwarded(ref)])
        other = await house.stored(kind=Kind.FIEL)
        row = await house.row(ref.id)
        removed = await house.removals.remove(house.party.id, Kind.CSD)
        assert removed is not None
        assert (removed.id, removed.active) == (row["certificate_id"], False)
        assert removed.removed_at == removed.replaced_at is not None
        assert await house.count("parts", "certificate_id = $1", row["certificate_id"]) == 0
        assert (await house.events(ref.id))[-1] == (row["epoch"] + 1, "certificate.removed", None, None)
        assert (await house.row(ref.id))["state"] == State.FORWARDED
        kept = await house.statuses.active_certificate(house.party.id, Kind.FIEL, [house.organization.id])
        assert kept is not None
        assert kept.upload_id == other.id
        assert await house.count("parts", "certificate_id = $1", kept.id) == 3


async def test_an_upload_that_waits_to_be_forwarded_is_superseded_with_its_certificate(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ref = await house.stored()
        (loaded,) = await house.forward.load([ref])
        await house.removals.remove(house.party.id, Kind.CSD)
        status = await house.statuses.upload(ref.id, [house.organization.id])
        assert status is not None
        assert (status.state, status.ended) == (State.SUPERSEDED, True)
        assert [(step.sequence - ref.epoch, step.type) for step in status.history[-2:]] == [
            (1, "certificate.removed"),
            (2, "upload.superseded"),
        ]
        assert await house.forward.load([ref]) == []
        await house.forward.settle([forwarded(loaded.ref)])
        assert (await house.row(ref.id))["state"] == State.SUPERSEDED


async def test_nothing_is_removed_where_nothing_is(database_url: str) -> None:
    async with storehouse(database_url) as house:
        assert await house.removals.remove(house.party.id, Kind.CSD) is None
        await house.stored()
        assert await house.removals.remove(uuid7(), Kind.CSD) is None
        assert await house.removals.remove(house.party.id, Kind.FIEL) is None
        assert await house.removals.remove(house.party.id, Kind.CSD) is not None
        assert await house.removals.remove(house.party.id, Kind.CSD) is None


async def test_of_many_who_remove_at_once_one_did(database_url: str) -> None:
    async with storehouse(database_url) as house:
        await house.stored()
        removed = await asyncio.gather(*(house.removals.remove(house.party.id, Kind.CSD) for _ in range(8)))
        assert [each is None for each in removed].count(False) == 1


async def test_what_follows_a_removal_waits_while_the_removed_one_may_be_on_its_way(database_url: str) -> None:
    """The removed one, arriving last at the destination, would count there. What was never sent holds up nobody."""
    async with storehouse(database_url) as house:
        await house.stored()
        await house.removals.remove(house.party.id, Kind.CSD)
        sent = await house.stored()
        assert len(await house.forward.load([sent])) == 1
        await house.removals.remove(house.party.id, Kind.CSD)
        next_one = await house.stored()
        assert await house.forward.load([next_one]) == []
        assert (await house.row(next_one.id))["state"] == State.STORED
        await house.database.execute(
            "UPDATE certpipe.handoffs SET intended_at = now() - interval '3 minutes' WHERE upload_id = $1", sent.id
        )
        assert len(await house.forward.load([next_one])) == 1


async def test_a_removed_certificate_whose_attempt_had_ended_keeps_nobody_waiting(database_url: str) -> None:
    async with storehouse(database_url) as house:
        sent = await house.stored()
        await house.forward.load([sent])
        await house.forward.settle([postponed(sent)])
        await house.removals.remove(house.party.id, Kind.CSD)
        assert len(await house.forward.load([await house.stored()])) == 1


async def test_after_a_removal_the_next_version_follows(database_url: str) -> None:
    async with storehouse(database_url) as house:
        await house.stored()
        await house.removals.remove(house.party.id, Kind.CSD)
        ref = await house.stored()
        active = await house.statuses.active_certificate(house.party.id, Kind.CSD, [house.organization.id])
        assert active is not None
        assert (active.upload_id, active.version) == (ref.id, 2)
        assert await house.statuses.active_certificate(house.party.id, Kind.CSD, [uuid7()]) is None


async def test_at_no_moment_of_fifty_replacements_is_there_none_or_two(database_url: str) -> None:
    async with storehouse(database_url) as house, storehouse(database_url) as reader:
        await house.stored()
        over, seen = asyncio.Event(), set[UUID]()

        async def read() -> int:
            looks = 0
            while not over.is_set():
                rows = await reader.database.fetch(
                    "SELECT c.id, (SELECT count(*) FROM certpipe.parts p WHERE p.certificate_id = c.id) AS parts "
                    "FROM certpipe.certificates c WHERE party_id = $1 AND replaced_at IS NULL",
                    house.party.id,
                )
                assert [row["parts"] for row in rows] == [3]
                seen.add(rows[0]["id"])
                looks += 1
            return looks

        reading = asyncio.create_task(read())
        for _ in range(50):
            await house.stored()
        over.set()
        assert await reading > len(seen) > 5
