"""Suspects: out of the backlog for as long as they are, alone on their way, a few at a time, forgotten once settled."""

import asyncio

from certpipe.core.clock import SystemClock
from certpipe.store.ledgers import ForwardLedger
from certpipe.store.named import queries
from certpipe.store.suspects import AT_ONCE, StoreSuspects
from schemas.base import Kind
from schemas.messages import UploadRef
from schemas.status import Stage
from tests.integration.history import leave_alone, several
from tests.integration.storehouse import postponed, storehouse


async def test_a_suspect_leaves_the_backlog_and_is_due_apart(database_url: str) -> None:
    async with storehouse(database_url) as house:
        suspected, other = await house.accepted(2)
        await house.backlog.dispatched([suspected])
        suspects = StoreSuspects(house.database)
        await suspects.suspect([suspected], deaths=1)
        await house.backlog.close()  # a note of the dispatch before, that comes late
        await house.make_due(other.id)
        assert await house.backlog.due(10) == {Stage.VALIDATE: [other]}
        (due,) = await suspects.due()
        assert (due.stage, due.ref, due.deaths) == (Stage.VALIDATE, suspected, 1)
        assert await suspects.due() == []
        assert (await house.validate.load([suspected]))[0].ref == suspected


async def test_deaths_add_up_and_begin_anew_at_the_next_epoch(database_url: str) -> None:
    async with storehouse(database_url) as house:
        (ref,) = await house.accepted()
        suspects = StoreSuspects(house.database)
        for _ in range(2):
            await suspects.suspect([ref], deaths=1)
        assert [each.deaths for each in await suspects.due()] == [2]
        (moved,) = await house.validate.settle([house.proved(ref)])
        assert await suspects.due() == []
        await suspects.suspect([moved], deaths=1)
        assert [(each.ref, each.deaths) for each in await suspects.due()] == [(moved, 1)]


async def test_whoever_is_settled_is_no_suspect_any_more(database_url: str) -> None:
    async with storehouse(database_url) as house:
        (ref,) = await house.accepted()
        suspects = StoreSuspects(house.database)
        await suspects.suspect([ref], deaths=2)
        await house.validate.settle([postponed(ref, 0)])
        assert await suspects.due() == []
        assert await house.count("suspects") == 0
        assert (await house.row(ref.id))["due_in"] < 10
        assert await house.backlog.due(10) == {Stage.VALIDATE: [UploadRef(id=ref.id, epoch=ref.epoch + 1)]}


async def test_what_moved_on_or_ended_cannot_be_suspected(database_url: str) -> None:
    async with storehouse(database_url) as house:
        (ref,) = await house.accepted()
        await house.validate.settle([house.proved(ref)])
        await StoreSuspects(house.database).suspect([ref], deaths=2)
        assert await house.count("suspects") == 0


async def test_only_a_few_of_a_stage_are_on_their_way_at_a_time(database_url: str) -> None:
    async with storehouse(database_url) as house:
        refs, alone = await house.accepted(AT_ONCE + 3), await house.accepted(AT_ONCE + 3)
        suspects = StoreSuspects(house.database)
        await suspects.suspect(refs, deaths=2)
        await suspects.suspect(alone, deaths=1)
        due = await suspects.due()
        assert len([each for each in due if each.deaths == 2]) == AT_ONCE
        assert {each.ref for each in due if each.deaths == 1} == set(alone)
        await suspects.dispatched([each.ref for each in due])
        assert await suspects.due() == []
        done = next(each.ref for each in due if each.deaths == 2)
        await house.validate.settle([house.proved(done)])
        assert len(await suspects.due()) == 1


async def test_rebuilding_makes_suspects_due_as_suspects(database_url: str) -> None:
    async with storehouse(database_url) as house:
        (suspected,) = await house.accepted()
        await house.accepted()
        suspects = StoreSuspects(house.database)
        await suspects.suspect([suspected], deaths=2)
        await suspects.dispatched([each.ref for each in await suspects.due()])
        assert await suspects.redrive() == 1
        assert await house.backlog.redrive() == 1
        assert [each.ref for each in await suspects.due()] == [suspected]
        assert suspected not in (await house.backlog.due(10))[Stage.VALIDATE]


async def test_one_that_is_suspected_again_is_not_forgotten_at_the_same_moment(database_url: str) -> None:
    async with storehouse(database_url) as house:
        (ref,) = await house.accepted()
        suspects = StoreSuspects(house.database)
        await suspects.suspect([ref], deaths=1)
        (moved,) = await house.validate.settle([house.proved(ref)])
        async with house.database.transaction() as session:
            await session.execute(queries("suspects")["suspect"], [moved.id], [moved.epoch], 1)
            looking = asyncio.ensure_future(suspects.due())
            async with asyncio.timeout(30):
                while not await house.database.fetch("SELECT FROM pg_locks WHERE NOT granted"):
                    await SystemClock().wait(0.02)
        found = [*await looking, *await suspects.due()]
        assert [each.ref for each in found] == [moved]


async def test_rebuilding_lets_go_what_is_due_at_infinity_and_known_to_nobody(database_url: str) -> None:
    async with storehouse(database_url) as house:
        (ref,) = await house.accepted()
        await StoreSuspects(house.database).suspect([ref], deaths=2)
        await house.database.execute("DELETE FROM certpipe.suspects")
        assert await house.backlog.redrive() == 1
        assert await house.backlog.due(10) == {Stage.VALIDATE: [ref]}


async def test_suspects_that_wait_for_a_service_take_no_place_from_others(database_url: str) -> None:
    async with storehouse(database_url) as house:
        told, *waiting = await several(house, AT_ONCE + 1)
        other = await house.stored(kind=Kind.FIEL)
        house.forward = ForwardLedger(house.database, house.hinter, {Kind.CSD: ("sw",), Kind.FIEL: ("efisco",)})
        suspects = StoreSuspects(house.database)
        await suspects.suspect([*waiting, other], deaths=2)
        await leave_alone(house, "sw")
        assert await house.forward.load([told]) == []
        first = await suspects.due()
        assert len(first) == AT_ONCE
        await suspects.dispatched([each.ref for each in first])
        assert await house.forward.load([each.ref for each in first]) == []
        assert [each.ref for each in await suspects.due()] == [other]
