"""What is due is shared out between organizations, and no stage's queue in the broker is filled without end."""

import time
from itertools import chain
from uuid import UUID

from certpipe.core.clock import SystemClock
from certpipe.core.ids import uuid7
from certpipe.core.ports.directory import Organization, Party, PartyKind
from certpipe.store.backlog import StoreBacklog
from schemas.status import Stage
from tests.integration.storehouse import Storehouse, storehouse

CROWD = """
INSERT INTO certpipe.uploads (
    id, organization_id, party_id, kind, door, submitted_by, is_check, state, certificate_id, dispatched_at, due_at
)
SELECT gen_random_uuid(), $1, $2, 'csd', 'http', 'somebody', false, $4::text::certpipe.state,
    CASE WHEN $4 IN ('encrypted', 'stored') THEN gen_random_uuid() END, $6::text::timestamptz,
    now() + $5::text::interval - make_interval(secs => n * 0.001)
FROM generate_series(1, $3::integer) AS n
"""


async def _another(house: Storehouse) -> tuple[UUID, UUID]:
    organization = Organization(uuid7(), "XIA190128J61", "Xenon")
    party = Party(uuid7(), organization.id, PartyKind.ENTRY, organization.rfc, organization.name)
    await house.directory.put_organization(organization, owner="another")
    await house.directory.put_party(party)
    return organization.id, party.id


async def _crowd(
    house: Storehouse,
    organization: UUID,
    party: UUID,
    count: int,
    *,
    state: str = "received",
    due: str = "-10 seconds",
    dispatched: str | None = None,
) -> None:
    await house.database.execute(CROWD, organization, party, count, state, due, dispatched)


async def _taken(house: Storehouse, backlog: StoreBacklog, limit: int = 500) -> dict[tuple[UUID, Stage], int]:
    """How many of each organization come for each stage at the next look."""
    found: dict[tuple[UUID, Stage], int] = {}
    for stage, refs in (await backlog.due(limit)).items():
        rows = await house.database.fetch(
            "SELECT organization_id, count(*) AS number FROM certpipe.uploads WHERE id = ANY ($1) GROUP BY 1",
            [ref.id for ref in refs],
        )
        found |= {(row["organization_id"], stage): row["number"] for row in rows}
    return found


async def test_one_upload_comes_with_the_first_look_though_another_organization_has_100_000_due(
    database_url: str,
) -> None:
    async with storehouse(database_url) as house:
        await _crowd(house, house.organization.id, house.party.id, 100_000)
        organization, party = await _another(house)
        await _crowd(house, organization, party, 1, due="-1 second")
        await house.database.execute("ANALYZE certpipe.uploads")
        began = time.monotonic()
        taken = await _taken(house, house.backlog)
        # It takes some ten milliseconds. A look that read what it leaves behind would take many times that.
        assert time.monotonic() - began < 5
        assert taken == {(organization, Stage.VALIDATE): 1, (house.organization.id, Stage.VALIDATE): 499}


async def test_two_crowds_get_the_same_and_of_each_the_oldest_come_first(database_url: str) -> None:
    async with storehouse(database_url) as house:
        organization, party = await _another(house)
        await _crowd(house, organization, party, 300, due="-1 second")
        await _crowd(house, house.organization.id, house.party.id, 300, due="-1 hour")
        oldest = await house.database.fetch(
            "SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY organization_id ORDER BY due_at) AS place "
            "FROM certpipe.uploads) AS ranked WHERE place <= 50"
        )
        due = await house.backlog.due(100)
        assert {ref.id for ref in chain.from_iterable(due.values())} == {row["id"] for row in oldest}


async def test_of_more_organizations_than_can_be_served_at_once_all_are_served_in_a_few_looks(
    database_url: str,
) -> None:
    async with storehouse(database_url) as house:
        others = [await _another(house) for _ in range(12)]
        for organization, party in others:
            await _crowd(house, organization, party, 3)
        taken = [await _taken(house, house.backlog, limit=9) for _ in range(4)]
        assert all(sum(each.values()) == 9 for each in taken)
        assert all(number == 1 for number in taken[0].values())
        assert await house.backlog.due(9) == {}


async def test_of_a_stage_with_a_long_queue_in_the_broker_nothing_more_is_taken_while_much_is_due(
    database_url: str,
) -> None:
    async with storehouse(database_url) as house:
        owner = house.organization.id, house.party.id
        backlog = StoreBacklog(house.database, SystemClock(), window=50)
        await _crowd(house, *owner, 50, due="14 minutes 50 seconds", dispatched="now")
        await _crowd(house, *owner, 300)
        await _crowd(house, *owner, 30, state="stored")
        assert await _taken(house, backlog, limit=100) == {(owner[0], Stage.FORWARD): 30}
        assert await _taken(house, backlog, limit=100) == {}


async def test_what_was_just_leased_counts_as_in_the_broker(database_url: str) -> None:
    async with storehouse(database_url) as house:
        backlog = StoreBacklog(house.database, SystemClock(), window=100)
        await _crowd(house, house.organization.id, house.party.id, 400)
        looks = [sum((await _taken(house, backlog, limit=60)).values()) for _ in range(3)]
        assert looks == [60, 60, 0]


async def test_what_the_broker_has_had_for_long_does_not_close_the_stage(database_url: str) -> None:
    """It may have lost them."""
    async with storehouse(database_url) as house:
        owner = house.organization.id, house.party.id
        backlog = StoreBacklog(house.database, SystemClock(), window=50)
        await _crowd(house, *owner, 50, due="13 minutes", dispatched="now")
        await _crowd(house, *owner, 300)
        assert await _taken(house, backlog, limit=100) == {(owner[0], Stage.VALIDATE): 100}


async def test_a_few_that_are_due_are_taken_whatever_the_broker_has(database_url: str) -> None:
    async with storehouse(database_url) as house:
        owner = house.organization.id, house.party.id
        backlog = StoreBacklog(house.database, SystemClock(), window=50)
        await _crowd(house, *owner, 90, due="14 minutes 50 seconds", dispatched="now")
        await _crowd(house, *owner, 10)
        assert await _taken(house, backlog, limit=100) == {(owner[0], Stage.VALIDATE): 10}


async def test_what_is_held_for_ever_is_not_taken_and_counts_as_waiting(database_url: str) -> None:
    async with storehouse(database_url) as house:
        await house.accepted(2)
        await house.database.execute("UPDATE certpipe.uploads SET due_at = 'infinity'")
        assert await house.backlog.due(1) == {}
        assert await house.backlog.depth() == 2


async def test_depth_is_told_of_each_organization(database_url: str) -> None:
    async with storehouse(database_url) as house:
        organization, party = await _another(house)
        await _crowd(house, organization, party, 3)
        await house.accepted(2)
        fresh = StoreBacklog(house.database, SystemClock())
        assert [await fresh.depth_of(each) for each in (house.organization.id, organization, uuid7())] == [2, 3, 0]
        assert await fresh.depth() == 5
