"""The feed: places in the order of commits, each event once, and always the same words."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest

from certpipe.core.ids import uuid7
from certpipe.core.ports.events import Told
from schemas.base import Kind
from schemas.events import EventType
from schemas.messages import UploadRef
from tests.integration.storehouse import FACTS, PROBLEM, forwarded, parked, refused, storehouse
from tests.integration.toldhouse import NOW, Toldhouse


def _types(told: list[Told] | tuple[Told, ...]) -> list[str]:
    return [each.event.type for each in told]


async def test_the_steps_of_an_upload_are_told_in_their_order(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        ref = await house.stored()
        await house.forward.settle([forwarded(ref)])
        await telling.placed(limit=2)
        told = await telling.all()
        assert [each.position for each in told] == sorted({each.position for each in told})
        sequences = [each.event.data.sequence for each in told]
        assert sequences == sorted(set(sequences))
        assert _types(list(told))[0] == EventType.RECEIVED
        assert _types(list(told))[-1] == EventType.FORWARDED
        assert [each.ended for each in told] == [False] * (len(told) - 1) + [True]
        assert await telling.feed.last() == told[-1].position
        assert (await telling.feed.after(told[1].position, 1))[0] == told[2]


async def test_a_step_that_was_begun_before_an_earlier_one_keeps_its_place_behind_it(database_url: str) -> None:
    """Times are those of transactions' beginnings: a limit between the two must not turn them around either."""
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        subject = uuid7()
        for sequence, at in ((1, NOW), (2, NOW - timedelta(seconds=5)), (3, NOW - timedelta(seconds=9))):
            await house.database.execute(
                "INSERT INTO certpipe.events (subject_id, sequence, organization_id, type, at) "
                "VALUES ($1, $2, $3, 'upload.retried', $4)",
                subject,
                sequence,
                house.organization.id,
                at,
            )
        await telling.events(3)
        assert (await telling.relay.place(1, NOW)).events == 1
        await telling.placed(limit=1)
        told = [each for each in await telling.all() if each.event.id.startswith(f"evt_{subject.hex}")]
        assert [each.event.data.sequence for each in told] == [1, 2, 3]


async def test_what_began_first_and_is_committed_last_is_not_missed_by_a_reader(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        insert = (
            "INSERT INTO certpipe.events (subject_id, sequence, organization_id, type) "
            "VALUES ($1, 1, $2, 'upload.received')"
        )
        late, early = uuid7(), uuid7()
        async with house.database.transaction() as session:
            await session.execute(insert, late, house.organization.id)
            await house.database.execute(insert, early, house.organization.id)
            await telling.placed()
            seen = await telling.all()
            assert [each.event.id for each in seen] == [f"evt_{early.hex}_1"]
        await telling.placed()
        assert [each.event.id for each in await telling.feed.after(seen[-1].position, 9)] == [f"evt_{late.hex}_1"]


async def test_several_relays_at_once_place_each_event_once_and_a_reader_of_what_follows_misses_none(
    database_url: str,
) -> None:
    async with storehouse(database_url) as house, storehouse(database_url) as other:
        tellings = [Toldhouse(house), Toldhouse(other)]
        writing = asyncio.Event()
        seen: list[Told] = []

        async def write() -> list[UUID]:
            subjects = [subject for _ in range(40) for subject in await tellings[0].events(5)]
            writing.set()
            return subjects

        async def place(telling: Toldhouse) -> int:
            count = 0
            while True:
                over = writing.is_set()
                placed = await telling.relay.place(7, NOW)
                count += placed.events
                if over and not placed.events:
                    return count

        async def read(subjects: "asyncio.Task[list[UUID]]") -> None:
            while not subjects.done() or len(seen) < len(subjects.result()):
                seen.extend(await tellings[1].feed.after(seen[-1].position if seen else 0, 3))

        async with asyncio.timeout(60):
            subjects = asyncio.create_task(write())
            reading = asyncio.create_task(read(subjects))
            counts = await asyncio.gather(*(place(each) for each in (*tellings, *tellings)))
            await reading
        assert sum(counts) == 200
        assert sorted(each.event.id for each in seen) == sorted(f"evt_{subject.hex}_1" for subject in await subjects)
        assert all(a.position < b.position for a, b in pairwise(seen))


async def test_who_asks_for_some_organizations_gets_theirs_in_order_and_no_others(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        second, third = await telling.organization(), await telling.organization()
        for organization in (second, third, None, second, third):
            await telling.events(2, organization=organization)
        await telling.placed()
        told = await telling.feed.of_organizations([second, house.organization.id], 0, 4)
        wanted = {second, house.organization.id}
        assert told == [each for each in await telling.all() if each.organization_id in wanted][:4]
        rest = await telling.feed.of_organizations([second, house.organization.id], told[-1].position, 9)
        assert len(rest) == 2
        assert await telling.feed.of_organizations([uuid7()], 0, 9) == []


async def test_of_one_upload_also_what_has_no_place_yet_is_told(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        (ref,) = await house.validated()
        told = await telling.feed.of_upload(ref.id, -1)
        assert _types(list(told)) == [EventType.RECEIVED, EventType.VALIDATED]
        assert {each.position for each in told} == {0}
        assert _types(list(await telling.feed.of_upload(ref.id, 0))) == [EventType.VALIDATED]
        assert await telling.feed.of_upload(uuid7(), -1) == []


async def test_nothing_is_told_of_checks(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        accepted = await house.intake.accept(house.new(check=True))
        await house.validate.settle([house.proved(accepted.ref)])
        await telling.placed()
        assert await telling.all() == []
        assert await telling.feed.last() == 0
        assert await telling.feed.of_upload(accepted.ref.id, -1) == []


async def test_an_event_has_the_same_body_whenever_and_however_it_is_read(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        (ref,) = await house.accepted()
        bodies: dict[str, set[bytes]] = {}

        async def read() -> None:
            await telling.placed()
            organization = [house.organization.id]
            for told in (
                *await telling.all(),
                *await telling.feed.of_upload(ref.id, -1),
                *await telling.feed.of_organizations(organization, 0, 99),
            ):
                bodies.setdefault(told.event.id, set()).add(told.event.body())

        await read()
        (ref,) = await house.validate.settle([house.proved(ref)])
        await read()
        (ref,) = await house.encrypt.settle([house.wrapped(ref)])
        await read()
        (ref,) = await house.persist.settle([await house.kept(ref)])
        await read()
        await house.forward.settle([forwarded(ref)])
        await house.removals.remove(house.party.id, Kind.CSD)
        await read()
        assert len(bodies) >= 6
        assert [len(each) for each in bodies.values()] == [1] * len(bodies)


async def test_an_event_has_what_its_type_carries_and_nothing_else(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        ref = await house.stored()
        told = {each.event.type: each.event.data for each in await telling.feed.of_upload(ref.id, -1)}
        row = await house.row(ref.id)
        received, validated, stored = (
            told[kind] for kind in (EventType.RECEIVED, EventType.VALIDATED, EventType.STORED)
        )
        assert received.model_dump(exclude_defaults=True) == {
            "organization_id": house.organization.id,
            "upload_id": ref.id,
            "sequence": 0,
            "party_id": house.party.id,
            "kind": Kind.CSD,
        }
        assert validated.certificate is not None
        assert (validated.certificate.id, validated.certificate.number) == (None, FACTS.number)
        assert stored.certificate is not None
        assert (stored.certificate.id, stored.certificate.rfc) == (row["certificate_id"], FACTS.rfc)
        assert stored.stage is None


async def test_a_refusal_tells_its_problems_and_a_failure_no_certificate(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        (first, second) = await house.accepted(2)
        await house.validate.settle([refused(first), parked(second)])
        rejected, failed = [(await telling.feed.of_upload(ref.id, 0))[-1].event.data for ref in (first, second)]
        assert (rejected.code, [each.code for each in rejected.problems]) == (PROBLEM.code, [PROBLEM.code])
        assert rejected.certificate is not None
        assert rejected.certificate.id is None
        assert (failed.code, failed.certificate) == ("provider_unavailable", None)


async def test_a_replaced_certificate_is_told_with_its_own_facts_and_with_what_replaced_it(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        old, new = await house.stored(), await house.stored()
        before, after = await house.row(old.id), await house.row(new.id)
        await house.database.execute("UPDATE certpipe.uploads SET facts = '{}' WHERE id = $1", new.id)
        told = await telling.feed.of_upload(new.id, 0)
        (data,) = (each.event.data for each in told if each.event.type == EventType.REPLACED)
        assert data.certificate is not None
        assert (data.certificate.id, data.replaced_by) == (before["certificate_id"], after["certificate_id"])
        assert data.certificate.number == FACTS.number


async def test_an_end_that_somebody_replayed_is_no_end(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        (ref,) = await house.accepted()
        await house.validate.settle([parked(ref)])
        assert (await telling.feed.of_upload(ref.id, -1))[-1].ended
        await house.database.execute(
            "UPDATE certpipe.uploads SET state = 'received', epoch = 2, due_at = now() WHERE id = $1", ref.id
        )
        await house.validate.settle([house.proved(UploadRef(id=ref.id, epoch=2))])
        assert [each.ended for each in await telling.feed.of_upload(ref.id, -1)] == [False] * 3


async def test_a_follower_is_told_where_to(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        first, second = await house.accepted(2)
        await house.database.execute("INSERT INTO certpipe.followers VALUES ($1, 'answers', 'mine')", first.id)
        await telling.placed()
        told = {each.upload_id: (each.reply_to, each.correlation_id) for each in await telling.all()}
        assert told == {first.id: ("answers", "mine"), second.id: (None, None)}


async def test_a_cursor_has_one_owner_until_its_lease_ends(database_url: str) -> None:
    async with storehouse(database_url) as house:
        cursors = Toldhouse(house).cursors
        one, two = uuid7(), uuid7()
        later = NOW + timedelta(seconds=10)
        assert await cursors.take("amqp", one, NOW, later) == 0
        assert await cursors.take("amqp", two, later - timedelta(seconds=1), later) is None
        assert await cursors.take("other", two, NOW, later) == 0
        assert await cursors.advance("amqp", one, 17)
        assert await cursors.take("amqp", one, NOW, later) == 17
        assert await cursors.take("amqp", two, later, later + timedelta(seconds=10)) == 17
        assert not await cursors.advance("amqp", one, 99)
        assert await cursors.advance("amqp", two, 18)
        assert await cursors.take("amqp", two, later, later) == 18


async def test_of_many_who_take_a_new_cursor_one_gets_it(database_url: str) -> None:
    async with storehouse(database_url) as house:
        cursors = Toldhouse(house).cursors
        taken = await asyncio.gather(*(cursors.take("amqp", uuid7(), NOW, NOW + timedelta(9)) for _ in range(8)))
        assert sorted(taken, key=str) == [0, *[None] * 7]


@pytest.mark.parametrize("limit", [1, 3])
async def test_at_most_so_many_are_placed(database_url: str, limit: int) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        await telling.events(4)
        assert (await telling.relay.place(limit, NOW)).events == limit
        assert len(await telling.all()) == limit
