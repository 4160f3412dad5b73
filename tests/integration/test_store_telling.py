"""Every transition writes its events: in its own transaction, without a gap, the one of the change last."""

import asyncio
import json
from itertools import pairwise

import pytest

from schemas.base import Kind
from schemas.messages import UploadRef
from tests.integration.history import at_present, rows_of, told_since
from tests.integration.storehouse import AWAY, PROBLEM, parked, postponed, refused, storehouse


async def test_what_goes_wrong_is_told_with_its_problems_and_leaves_those_of_the_upload_alone(
    database_url: str,
) -> None:
    async with storehouse(database_url) as house:
        bad, dead = await house.accepted(2)
        await house.validate.settle([postponed(bad), postponed(dead)])
        assert (await house.row(bad.id))["problems"] is None
        await house.validate.settle([refused(await at_present(house, bad)), parked(await at_present(house, dead))])
        away, no = (AWAY.code, (AWAY.code,)), (PROBLEM.code, (PROBLEM.code,))
        for ref, told in ((bad, [away, no]), (dead, [away, away])):
            rows = await rows_of(house, ref.id)
            assert [(row.code, row.problems) for row in rows[1:]] == told
            assert [row.position for row in rows] == [None] * 3
        (stored,) = await house.database.fetch("SELECT problems FROM certpipe.events WHERE code = $1", PROBLEM.code)
        assert json.loads(stored["problems"]) == [PROBLEM.view().model_dump(mode="json")]


@pytest.mark.parametrize("end", ["proved", "refused"])
async def test_what_is_told_of_a_check_has_no_place_for_anybody(database_url: str, end: str) -> None:
    async with storehouse(database_url) as house:
        check = (await house.intake.accept(house.new(check=True))).ref
        await house.validate.settle([postponed(check)])
        again = await at_present(house, check)
        await house.validate.settle([house.proved(again) if end == "proved" else refused(again)])
        assert [row.position for row in await rows_of(house, check.id)] == [0, 0, 0]


async def test_replacing_is_told_of_the_new_upload_right_before_its_storing(database_url: str) -> None:
    async with storehouse(database_url) as house:
        old = await house.stored()
        assert await told_since(house, UploadRef(id=old.id, epoch=2)) == [("certificate.stored", None)]
        (new,) = await house.encrypted()
        await house.persist.settle([await house.kept(new)])
        replaced = (await house.row(old.id))["certificate_id"]
        assert await told_since(house, new) == [("certificate.replaced", replaced), ("certificate.stored", None)]


async def test_of_one_batch_only_what_was_active_is_told_to_be_replaced(database_url: str) -> None:
    async with storehouse(database_url) as house:
        active = (await house.row((await house.stored()).id))["certificate_id"]
        older, newer = await house.encrypted(2)
        fiel = (await house.encrypted(kind=Kind.FIEL))[0]
        await house.persist.settle([await house.kept(ref) for ref in (newer, fiel, older)])
        assert await told_since(house, older) == [("upload.superseded", None)]
        assert await told_since(house, newer) == [("certificate.replaced", active), ("certificate.stored", None)]
        assert await told_since(house, fiel) == [("certificate.stored", None)]


async def test_after_a_removal_nothing_is_there_to_be_replaced(database_url: str) -> None:
    async with storehouse(database_url) as house:
        old = await house.stored()
        await house.removals.remove(house.party.id, Kind.CSD)
        assert await told_since(house, old) == [("certificate.removed", None), ("upload.superseded", None)]
        new = await house.stored()
        assert await told_since(house, UploadRef(id=new.id, epoch=2)) == [("certificate.stored", None)]


async def test_versions_that_are_stored_at_once_replace_one_another_in_a_chain(database_url: str) -> None:
    async with storehouse(database_url) as house:
        outcomes = [await house.kept(ref) for ref in await house.encrypted(16)]
        await asyncio.gather(*(house.persist.settle([outcome]) for outcome in outcomes))
        versions = await house.database.fetch("SELECT id, upload_id FROM certpipe.certificates ORDER BY version")
        for before, after in pairwise(versions):
            told = await told_since(house, UploadRef(id=after["upload_id"], epoch=2))
            assert told == [("certificate.replaced", before["id"]), ("certificate.stored", None)]
        assert await house.count("events", "type = 'certificate.replaced'") == len(versions) - 1
