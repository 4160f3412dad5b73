"""What is told of destinations: who has it, who refused it, who is unavailable and who recovered."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from certpipe.core.clock import SystemClock
from certpipe.core.errors import Unavailable
from certpipe.core.ports.runtime import Outcome, Postponed
from certpipe.core.problems import INTERNAL
from certpipe.core.uploads import Forwarded
from certpipe.store.database import Database
from certpipe.store.ledgers import ForwardLedger
from schemas.base import Kind
from tests.integration.history import Row, at_present, elsewhere, fail, rows_of, several, told_since
from tests.integration.storehouse import (
    AWAY,
    PROBLEM,
    Storehouse,
    forwarded,
    parked,
    postponed,
    receipt,
    refused,
    storehouse,
)

SET_OUT = "INSERT INTO certpipe.outages (organization_id, destination) VALUES ($1, $2)"


@asynccontextmanager
async def patient(house: Storehouse) -> AsyncIterator[ForwardLedger]:
    """One that waits for locks as long as a test may take."""
    async with asyncpg.create_pool(house.url, min_size=1, server_settings={"lock_timeout": "60s"}) as pool:
        yield ForwardLedger(Database(pool), house.hinter, {})


async def until_waiting(house: Storehouse, count: int) -> None:
    """Return when that many wait for a lock."""
    query = (
        "SELECT count(*) AS waiting FROM pg_stat_activity "
        "WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(60):
        while (await house.database.fetch(query))[0]["waiting"] < count:
            await SystemClock().wait(0.01)


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


async def test_a_destination_is_told_to_be_unavailable_at_the_third_failure_on_end_and_once(database_url: str) -> None:
    async with storehouse(database_url) as house:
        first, second = await several(house, 2)
        (third_time,) = await fail(house, first)
        again = ("upload.retried", "sw")
        assert await told_since(house, first) == [again, again, ("unavailable", "sw"), again]
        told = (await rows_of(house, first.id))[-2]
        assert (told.code, told.problems) == (AWAY.code, (AWAY.code,))
        await fail(house, third_time, second, times=5)
        assert await house.count("events", "type = 'destination.unavailable'") == 1
        assert await house.count("outages") == 1


async def test_the_last_try_counts_as_the_others_do(database_url: str) -> None:
    async with storehouse(database_url) as house:
        early, late = await several(house, 2)
        (early,) = await fail(house, early, times=1)
        await house.forward.settle([parked(early, "sw")])
        assert await told_since(house, early) == [("upload.failed", "sw")]
        (late,) = await fail(house, late, times=2)
        await house.forward.settle([parked(late, "sw")])
        assert await told_since(house, late) == [("unavailable", "sw"), ("upload.failed", "sw")]


async def test_only_failures_there_and_on_end_count(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ref = await house.stored(kind=Kind.FIEL)
        for at in ("sw", "sw", "efisco", "sw", "sw", None, "sw", "sw"):
            await house.forward.settle([postponed(await at_present(house, ref), 0, at)])
        await house.forward.settle([Postponed(await at_present(house, ref), INTERNAL, 0)])
        assert await house.count("outages") == 0
        assert {kind for kind, _ in await told_since(house, ref)} == {"upload.retried"}
        (loaded,) = await house.forward.load([await at_present(house, ref)])
        assert (loaded.attempt, loaded.defects) == (9, 1)


async def test_tries_are_counted_right_though_some_have_two_events(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ref = await house.stored()
        await house.forward.settle([Postponed(ref, INTERNAL, 0)])
        (ref,) = await fail(house, await at_present(house, ref), times=3)
        (loaded,) = await house.forward.load([ref])
        assert (loaded.attempt, loaded.defects) == (4, 1)
        assert ref.epoch == 3 + 5


@pytest.mark.parametrize("answer", ["yes", "no"])
async def test_a_destination_that_answers_again_is_told_to_be_recovered_once(database_url: str, answer: str) -> None:
    async with storehouse(database_url) as house:
        failed, first, second = await several(house, 3)
        (failed,) = await fail(house, failed)
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
        await fail(house, other, at="sw")
        (ref,) = await fail(house, ref, at="efisco")
        await house.forward.settle([forwarded(ref, receipt("sw"), receipt("efisco"))])
        assert await told_since(house, ref) == [
            ("recovered", "efisco"),
            ("recovered", "sw"),
            ("forwarded", "sw"),
            ("forwarded", "efisco"),
            ("certificate.forwarded", None),
        ]


async def test_after_it_recovered_it_can_be_told_to_be_unavailable_again(database_url: str) -> None:
    """An upload that it was told of needs as many new failures: one that always fails does not make it flicker."""
    async with storehouse(database_url) as house:
        failing, good = await several(house, 2)
        (failing,) = await fail(house, failing)
        await house.forward.settle([forwarded(good)])
        (after,) = await fail(house, failing, times=1)
        assert await told_since(house, failing) == [("upload.retried", "sw")]
        await fail(house, after, times=1)
        assert await told_since(house, after) == [("unavailable", "sw"), ("upload.retried", "sw")]


async def test_one_that_answers_another_upload_of_the_batch_is_not_unavailable(database_url: str) -> None:
    async with storehouse(database_url) as house:
        failing, good = await several(house, 2)
        (failing,) = await fail(house, failing, times=2)
        await house.forward.settle([postponed(failing, 0, "sw"), forwarded(good)])
        assert await told_since(house, failing) == [("upload.retried", "sw")]
        assert await house.count("outages") == 0


async def test_organizations_have_outages_of_their_own(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ours, more = await several(house, 2)
        theirs = await elsewhere(house)
        await fail(house, ours, theirs)
        assert await house.count("outages") == 2
        assert await house.count("events", "type = 'destination.unavailable'") == 2
        await house.forward.settle([forwarded(more)])
        assert await house.count("outages", "organization_id = $1", house.organization.id) == 0
        assert await house.count("outages") == 1


async def test_of_batches_at_once_one_tells_that_it_is_unavailable_and_one_that_it_recovered(
    database_url: str,
) -> None:
    async with storehouse(database_url) as house:
        failing, good = await several(house, 8), await several(house, 8)
        failing = await fail(house, *failing, times=2)
        await asyncio.gather(*(house.forward.settle([postponed(ref, 0, "sw")]) for ref in failing))
        assert await house.count("events", "type = 'destination.unavailable'") == 1
        await asyncio.gather(*(house.forward.settle([forwarded(ref)]) for ref in good))
        assert await house.count("events", "type = 'destination.recovered'") == 1
        for ref in failing + good:
            assert len(await told_since(house, ref)) in {1, 2, 3}


async def test_batches_that_change_the_same_outages_in_opposite_ways_do_not_deadlock(database_url: str) -> None:
    """Half of them see `sw` recover and `efisco` fail, the others the opposite, while one of the two is out."""
    async with storehouse(database_url) as house:
        failing, good = await several(house, 24), await several(house, 24)
        for places, at in ((failing[::2], "efisco"), (failing[1::2], "sw")):
            await fail(house, *places, times=2, at=at)
        failing = [await at_present(house, ref) for ref in failing]
        batches: list[list[Outcome[Forwarded]]] = [
            [postponed(bad, 0, "sw" if each % 2 else "efisco"), forwarded(ok, receipt("efisco" if each % 2 else "sw"))]
            for each, (bad, ok) in enumerate(zip(failing, good, strict=True))
        ]
        await house.database.execute(SET_OUT, house.organization.id, "sw")
        await asyncio.gather(*map(house.forward.settle, batches))
        told = Counter([kind for ref in failing + good for kind, _ in await told_since(house, ref)])
        assert await house.count("outages") == 1 + told["unavailable"] - told["recovered"]
        assert told["unavailable"] > 0
        assert told["recovered"] > 0


async def test_two_batches_in_each_others_way_wait_before_they_change_anything(database_url: str) -> None:
    """The first sets `a` out and stands still before `m`, and then `z`; the second ends `z`, and sets `a` out."""
    async with storehouse(database_url) as house, patient(house) as forward:
        refs, (late, good) = await several(house, 3), await several(house, 2)
        first = [
            postponed((await fail(house, ref, times=2, at=at))[0], 0, at) for ref, at in zip(refs, "amz", strict=True)
        ]
        (late,) = await fail(house, late, times=2, at="a")
        async with asyncio.TaskGroup() as settling, house.database.transaction() as other:
            await other.execute(SET_OUT, house.organization.id, "m")
            settling.create_task(forward.settle(first))
            await until_waiting(house, 1)
            await house.database.execute(SET_OUT, house.organization.id, "z")
            settling.create_task(forward.settle([forwarded(good, receipt("z")), postponed(late, 0, "a")]))
            await until_waiting(house, 2)
        assert [(await told_since(house, outcome.ref))[0] for outcome in first] == [
            ("unavailable", "a"),
            ("upload.retried", "m"),
            ("upload.retried", "z"),
        ]
        assert (await told_since(house, good))[0] == ("recovered", "z")
        assert await told_since(house, late) == [("upload.retried", "a")]


async def test_an_outage_that_another_changes_is_waited_for_and_seen(database_url: str) -> None:
    async with storehouse(database_url) as house:
        (ref,) = await fail(house, await house.stored(), times=2)
        async with house.database.transaction() as other:
            await other.execute(SET_OUT, house.organization.id, "sw")
            with pytest.raises(Unavailable):
                await house.forward.settle([postponed(ref, 0, "sw")])
        await house.forward.settle([postponed(ref, 0, "sw")])
        assert await told_since(house, ref) == [("upload.retried", "sw")]
