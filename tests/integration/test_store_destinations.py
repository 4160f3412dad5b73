"""What is told of destinations: who has it, who refused it, who is unavailable and who recovered."""

import asyncio
from collections import Counter

import pytest

from certpipe.core.errors import Unavailable
from certpipe.core.ports.runtime import Outcome, Postponed
from certpipe.core.problems import INTERNAL
from certpipe.core.uploads import Forwarded
from schemas.base import Kind
from tests.integration.history import Row, at_present, elsewhere, fail, held, leave_alone, rows_of, several, told_since
from tests.integration.storehouse import (
    AWAY,
    PROBLEM,
    forwarded,
    parked,
    postponed,
    receipt,
    refused,
    storehouse,
)

SET_OUT = "INSERT INTO certpipe.outages (organization_id, destination) VALUES ($1, $2)"


async def test_each_destination_that_has_it_is_told_before_the_end(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ref = await house.stored(kind=Kind.FIEL)
        await house.forward.load([ref])
        await house.forward.settle([forwarded(ref, receipt("sw"), receipt("efisco"))])
        assert await told_since(house, ref) == [
            ("forwarded", "sw"),
            ("forwarded", "efisco"),
            ("certificate.forwarded", None),
        ]
        status = await house.statuses.upload(ref.id, [house.organization.id])
        assert status is not None
        assert [step.destination for step in status.history[-3:]] == ["sw", "efisco", None]
        assert status.sequence == status.history[-1].sequence == ref.epoch + 3


async def test_an_outcome_whose_row_moved_on_tells_of_no_destination(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ref = await house.stored()
        outcomes: list[Outcome[Forwarded]] = [forwarded(ref)]
        await asyncio.gather(*(house.forward.settle(outcomes) for _ in range(8)))
        for late in (refused(ref, "sw"), postponed(ref, 0, "sw"), parked(ref, "sw")):
            await house.forward.settle([late])
        assert await told_since(house, ref) == [("forwarded", "sw"), ("certificate.forwarded", None)]


async def test_a_destination_that_says_no_is_told_with_its_words(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ref = await house.stored()
        await house.forward.settle([refused(ref, "sw")])
        told = await rows_of(house, ref.id)
        assert told[-2:] == [
            Row(ref.epoch + 1, "destination.rejected", "sw", PROBLEM.code, (PROBLEM.code,), None),
            Row(ref.epoch + 2, "upload.rejected", "sw", PROBLEM.code, (PROBLEM.code,), None),
        ]
        (no_pac,) = await several(house, 1)
        await house.forward.settle([refused(no_pac)])
        assert await told_since(house, no_pac) == [("upload.rejected", None)]


async def test_a_destination_that_is_left_alone_is_told_to_be_unavailable_once_by_the_first_that_waits(
    database_url: str,
) -> None:
    async with storehouse(database_url) as house:
        refs = await several(house, 3)
        await leave_alone(house, "sw")
        await held(house, *refs[:2])
        assert await told_since(house, refs[0]) == [("unavailable", "sw")]
        told = (await rows_of(house, refs[0].id))[-1]
        assert (told.code, told.problems) == (AWAY.code, (AWAY.code,))
        await held(house, await at_present(house, refs[0]), refs[1], refs[2])
        assert [await told_since(house, ref) for ref in refs[1:]] == [[], []]
        assert await house.count("outages") == 1


async def test_a_failure_of_one_upload_alone_tells_of_no_destination(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ref = await house.stored()
        await fail(house, ref, times=5)
        assert {kind for kind, _ in await told_since(house, ref)} == {"upload.retried"}
        assert await house.count("outages") == 0


async def test_tries_are_counted_right_though_some_have_two_events(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ref = await house.stored()
        await house.forward.settle([Postponed(ref, INTERNAL, 0)])
        await leave_alone(house, "sw")
        await held(house, await at_present(house, ref))
        await house.services.reset("sw")
        (ref,) = await fail(house, await at_present(house, ref), times=3)
        (loaded,) = await house.forward.load([ref])
        assert (loaded.attempt, loaded.defects) == (4, 1)
        assert ref.epoch == 3 + 5


@pytest.mark.parametrize("answer", ["yes", "no"])
async def test_a_destination_that_answers_again_is_told_to_be_recovered_once(database_url: str, answer: str) -> None:
    async with storehouse(database_url) as house:
        failed, first, second = await several(house, 3)
        await leave_alone(house, "sw")
        (failed,) = await held(house, failed)
        say = forwarded if answer == "yes" else lambda ref: refused(ref, "sw")
        ends = [("forwarded", "sw"), ("certificate.forwarded", None)]
        if answer == "no":
            ends = [("rejected", "sw"), ("upload.rejected", "sw")]
        await house.forward.settle([say(first), say(second)])
        assert await told_since(house, first) == [("recovered", "sw"), *ends]
        assert await told_since(house, second) == ends
        recovered = (await rows_of(house, first.id))[4]
        assert (recovered.type, recovered.code, recovered.problems) == ("destination.recovered", None, ())
        await house.forward.settle([say(failed)])
        assert await told_since(house, failed) == ends
        assert await house.count("outages") == 0


async def test_two_destinations_that_answer_again_are_both_told_before_what_they_say(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ref, other = await house.stored(kind=Kind.FIEL), await house.stored()
        await leave_alone(house, "sw", "efisco")
        await held(house, other)
        (ref,) = await held(house, ref)
        await house.forward.settle([forwarded(ref, receipt("sw"), receipt("efisco"))])
        assert await told_since(house, ref) == [
            ("recovered", "efisco"),
            ("recovered", "sw"),
            ("forwarded", "sw"),
            ("forwarded", "efisco"),
            ("certificate.forwarded", None),
        ]


async def test_after_it_recovered_it_can_be_told_to_be_unavailable_again(database_url: str) -> None:
    async with storehouse(database_url) as house:
        first, good, second = await several(house, 3)
        await leave_alone(house, "sw")
        await held(house, first)
        await house.services.reset("sw")
        await house.forward.settle([forwarded(good)])
        await leave_alone(house, "sw")
        await held(house, second)
        assert await told_since(house, second) == [("unavailable", "sw")]


async def test_while_it_is_tried_again_nobody_new_is_told(database_url: str) -> None:
    async with storehouse(database_url) as house:
        (first,), other = await several(house, 1), await elsewhere(house)
        await leave_alone(house, "sw", seconds=0)
        await held(house, first)
        await house.backlog.release()
        await held(house, other)
        assert await told_since(house, other) == []


async def test_organizations_have_outages_of_their_own(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ours, more = await several(house, 2)
        theirs = await elsewhere(house)
        await leave_alone(house, "sw")
        await held(house, ours, theirs)
        assert await house.count("outages") == 2
        assert await house.count("events", "type = 'destination.unavailable'") == 2
        await house.forward.settle([forwarded(more)])
        assert await house.count("outages", "organization_id = $1", house.organization.id) == 0
        assert await house.count("outages") == 1


async def test_of_batches_at_once_one_tells_that_it_is_unavailable_and_one_that_it_recovered(
    database_url: str,
) -> None:
    async with storehouse(database_url) as house:
        waiting, good = await several(house, 8), await several(house, 8)
        await leave_alone(house, "sw")
        await asyncio.gather(*(house.forward.load([ref]) for ref in waiting))
        assert await house.count("events", "type = 'destination.unavailable'") == 1
        await asyncio.gather(*(house.forward.settle([forwarded(ref)]) for ref in good))
        assert await house.count("events", "type = 'destination.recovered'") == 1
        for ref in waiting + good:
            assert len(await told_since(house, ref)) in {0, 1, 2, 3}


async def test_batches_that_change_the_same_outages_in_opposite_ways_do_not_deadlock(database_url: str) -> None:
    """Some find `sw` and `efisco` left alone, while others say that one of the two, or both, have answered."""
    async with storehouse(database_url) as house:
        waiting, good = await several(house, 24), await several(house, 24)
        waiting += [await house.stored(kind=Kind.FIEL)]
        await leave_alone(house, "sw", "efisco")
        batches: list[list[Outcome[Forwarded]]] = [
            [forwarded(ref, *(receipt(name) for name in names))]
            for ref, names in zip(good, 8 * (("sw", "efisco"), ("efisco", "sw"), ("sw",)), strict=True)
        ]
        await asyncio.gather(
            *(house.forward.load([ref]) for ref in waiting), *(house.forward.settle(batch) for batch in batches)
        )
        told = Counter([kind for ref in waiting + good for kind, _ in await told_since(house, ref)])
        assert await house.count("outages") == told["unavailable"] - told["recovered"]
        assert told["unavailable"] > 0


async def test_an_outage_that_another_changes_is_waited_for_and_seen(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ref = await house.stored()
        await leave_alone(house, "sw")
        async with house.database.transaction() as other:
            await other.execute(SET_OUT, house.organization.id, "sw")
            with pytest.raises(Unavailable):
                await house.forward.load([ref])
        await held(house, ref)
        assert await told_since(house, ref) == []
