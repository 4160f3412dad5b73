"""The queue of deliveries: to whom, who sends what, what came of it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial

from certpipe.core.errors import Unavailable
from certpipe.core.ids import uuid7
from certpipe.core.ports.webhooks import EndpointChange
from schemas.events import EventType
from schemas.webhooks import AttemptView, DeliveryState, DisabledBecause
from tests.integration.storehouse import Storehouse, storehouse
from tests.integration.toldhouse import LEASE, NOW, Toldhouse, failing, healthy, taken, tried

SECOND = timedelta(seconds=1)
FOREVER = timedelta(days=999)
WAITING = (
    "SELECT count(*) FROM pg_stat_activity, pg_stat_clear_snapshot() AS anew "
    "WHERE wait_event_type = 'Lock' AND datname = current_database()"
)


async def test_an_event_goes_to_every_endpoint_of_its_organization_that_wants_its_type(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        every = await telling.endpoint()
        some = await telling.endpoint(EventType.RETRIED, EventType.STORED)
        none = await telling.endpoint(EventType.REMOVED)
        stranger = await telling.endpoint(organization=await telling.organization())
        (subject,) = await telling.events(1)
        assert await telling.placed() == {every, some}
        for endpoint, count in ((every, 1), (some, 1), (none, 0), (stranger, 0)):
            claimed = await telling.claim(endpoint)
            assert [each.told.upload_id for each in claimed] == [None] * count
            assert [each.told.event.id for each in claimed] == [f"evt_{subject.hex}_1"] * count


async def test_nothing_is_written_for_an_endpoint_that_is_disabled_or_removed(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        disabled, removed = await telling.endpoint(), await telling.endpoint()
        await telling.endpoints.change(disabled, EndpointChange(enabled=False), now=NOW)
        await telling.endpoints.remove(removed, now=NOW)
        await telling.events(1)
        assert await telling.placed() == frozenset()
        assert await house.count("deliveries") == 0


async def test_a_ping_goes_to_its_own_endpoint_only_whatever_that_wants(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        endpoint, _ = await telling.endpoint(EventType.REMOVED), await telling.endpoint()
        ping = await telling.endpoints.ping(endpoint, now=NOW)
        assert await telling.placed() == {endpoint}
        (claimed,) = await telling.claim(endpoint)
        event = claimed.told.event
        assert (event.id, event.type, event.timestamp) == (ping, EventType.ENDPOINT_PING, NOW)
        assert (event.data.endpoint_id, claimed.told.upload_id) == (endpoint, None)
        assert await telling.endpoints.ping(endpoint, now=NOW) != ping


async def test_what_is_delivered_is_the_feed_s_event_to_the_byte(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        endpoint = await telling.endpoint()
        await house.stored()
        await telling.placed()
        claimed = await telling.claim(endpoint)
        assert [each.told.event.body() for each in claimed] == [each.event.body() for each in await telling.all()]
        assert [each.told.position for each in claimed] == [each.position for each in await telling.all()]


async def test_each_endpoint_gives_as_many_as_there_is_room_for_it_oldest_first(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        one, two, three = [await telling.endpoint() for _ in range(3)]
        await telling.events(5)
        await telling.placed()
        places = [each.position for each in await telling.all()]
        claimed = await telling.deliveries.claim({one: 2, two: 4, three: 0}, now=NOW, until=NOW + LEASE)
        assert [each.told.position for each in claimed if each.endpoint_id == one] == places[:2]
        assert [each.told.position for each in claimed if each.endpoint_id == two] == places[:4]
        assert len(claimed) == 6
        assert {each.leased_until for each in claimed} == {NOW + LEASE}
        await telling.settle(tried(claimed[0], NOW - SECOND))
        assert [each.told.position for each in await telling.claim(one, 2)] == [claimed[0].told.position, places[2]]
        assert await telling.deliveries.claim({}, now=NOW, until=NOW) == ()


async def test_what_is_leased_is_not_claimed_again_until_the_lease_ends(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        endpoint = await telling.endpoint()
        await telling.events(1)
        await telling.placed()
        assert await telling.claim(endpoint, now=NOW - SECOND) == []
        (first,) = await telling.claim(endpoint)
        assert await telling.claim(endpoint, now=NOW + LEASE - SECOND) == []
        (second,) = await telling.claim(endpoint, now=NOW + LEASE)
        assert (second.told, second.attempt) == (first.told, first.attempt)


async def test_two_who_claim_at_once_never_share_and_miss_nothing(database_url: str) -> None:
    async with storehouse(database_url) as house, storehouse(database_url) as other:
        telling, second = Toldhouse(house), Toldhouse(other)
        endpoint = await telling.endpoint()
        await telling.events(120)
        await telling.placed()

        async def claim_all(who: Toldhouse) -> list[int]:
            mine: list[int] = []
            while claimed := await who.claim(endpoint, 3):
                mine += [each.told.position for each in claimed]
            return mine

        shares = await asyncio.gather(*(claim_all(each) for each in (telling, second, telling, second)))
        places = sorted(place for share in shares for place in share)
        assert places == [each.position for each in await telling.all()]


async def test_what_another_process_is_taking_is_passed_over_and_not_waited_for(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        endpoint = await telling.endpoint()
        await telling.events(3)
        await telling.placed()
        first, *others = [each.position for each in await telling.all()]
        async with house.database.transaction() as session:
            await session.execute("SELECT FROM certpipe.deliveries WHERE position = $1 FOR UPDATE", first)
            assert [each.told.position for each in await telling.claim(endpoint)] == others


async def test_nothing_is_claimed_of_endpoints_that_are_disabled_removed_or_paused(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        good, disabled, removed, paused = [await telling.endpoint() for _ in range(4)]
        await telling.events(2)
        await telling.placed()
        await telling.endpoints.change(disabled, EndpointChange(enabled=False), now=NOW)
        await telling.endpoints.remove(removed, now=NOW)
        await telling.deliveries.settle((), [failing(paused, paused=NOW + SECOND)], now=NOW)
        rooms = dict.fromkeys((good, disabled, removed, paused), 1)
        assert await telling.deliveries.waiting(NOW) == [good]
        claimed = await telling.deliveries.claim(rooms, now=NOW, until=NOW + LEASE)
        assert [each.endpoint_id for each in claimed] == [good]
        assert set(await telling.deliveries.waiting(NOW + SECOND)) == {good, paused}
        assert [each.endpoint_id for each in await telling.claim(paused, now=NOW + SECOND)] == [paused] * 2


async def test_an_endpoint_waits_while_it_has_something_due(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        endpoints = [await telling.endpoint() for _ in range(5)]
        await telling.endpoint(EventType.REMOVED)
        await telling.events(2)
        await telling.placed()
        assert sorted(await telling.deliveries.waiting(NOW)) == endpoints
        assert await telling.deliveries.waiting(NOW - SECOND) == []
        claimed = [each for endpoint in endpoints[1:] for each in await telling.claim(endpoint)]
        assert await telling.deliveries.waiting(NOW) == endpoints[:1]
        await telling.settle(*map(taken, claimed))
        assert await telling.deliveries.waiting(NOW + FOREVER) == endpoints[:1]


async def test_the_next_is_due_when_the_first_of_all_is_that_may_be_sent(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        assert await telling.deliveries.next_due() is None
        one, two = await telling.endpoint(), await telling.endpoint()
        await telling.events(1)
        await telling.placed()
        assert await telling.deliveries.next_due() == NOW
        (first,) = await telling.claim(one)
        (second,) = await telling.claim(two)
        assert await telling.deliveries.next_due() == NOW + LEASE
        await telling.settle(tried(first, NOW + 9 * SECOND), tried(second, NOW + 5 * SECOND))
        assert await telling.deliveries.next_due() == NOW + 5 * SECOND
        await telling.deliveries.settle((), [failing(two, paused=NOW + 7 * SECOND)], now=NOW)
        assert await telling.deliveries.next_due() == NOW + 7 * SECOND
        await telling.endpoints.change(two, EndpointChange(enabled=False), now=NOW)
        assert await telling.deliveries.next_due() == NOW + 9 * SECOND
        await telling.endpoints.remove(one, now=NOW)
        assert await telling.deliveries.next_due() is None


async def test_attempts_are_counted_and_logged_and_a_delivered_one_is_over(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        endpoint = await telling.endpoint()
        await telling.events(1)
        await telling.placed()
        (first,) = await telling.claim(endpoint)
        await telling.settle(tried(first, NOW + 5 * SECOND, excerpt="half a \ud83d pair, a \0, and \\u0000"))
        place = first.told.position
        assert await telling.row(endpoint, place) == ("pending", NOW + 5 * SECOND, 1, 1)
        (second,) = await telling.claim(endpoint, now=NOW + 5 * SECOND)
        assert (second.attempt, second.step) == (1, 1)
        await telling.settle(taken(second, at=NOW + 6 * SECOND))
        assert await telling.row(endpoint, place) == ("delivered", None, 2, 2)
        page = await telling.endpoints.deliveries(endpoint, state=None, event_id=None, cursor=None, limit=9)
        assert page.items[0].attempts == (
            AttemptView(at=NOW, status=500, milliseconds=12, excerpt="half a ? pair, a \ufffd, and \\u0000"),
            AttemptView(at=NOW + 6 * SECOND, status=204, milliseconds=12),
        )
        assert await telling.claim(endpoint, now=NOW + FOREVER) == []


async def test_who_settles_after_its_lease_was_lost_changes_nothing(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        endpoint = await telling.endpoint()
        await telling.events(1)
        await telling.placed()
        (slow,) = await telling.claim(endpoint)
        (quick,) = await telling.claim(endpoint, now=NOW + LEASE)
        await telling.settle(taken(quick))
        await telling.settle(tried(slow, NOW))
        await telling.settle(taken(quick))
        assert await telling.row(endpoint, slow.told.position) == ("delivered", None, 1, 1)
        await telling.endpoints.replay(endpoint, slow.told.position, now=NOW)
        await telling.settle(tried(slow, None))
        assert await telling.row(endpoint, slow.told.position) == ("pending", NOW, 1, 0)
        page = await telling.endpoints.deliveries(endpoint, state=None, event_id=None, cursor=None, limit=9)
        assert len(page.items[0].attempts) == 1


async def _all_blocked_by(house: Storehouse, lock: str, work: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Do all of it at once: each is let go on when every one waits for the rows that `lock` holds."""

    async def until_it_is_done(each: Callable[[], Awaitable[None]]) -> None:
        while True:
            with suppress(Unavailable):  # it waited too long for the others
                return await each()

    async with asyncio.timeout(60):
        async with house.database.transaction() as session:
            await session.execute(lock)
            tasks = [asyncio.create_task(until_it_is_done(each)) for each in work]
            while await session.fetchval(WAITING) < len(work):
                await house.database.answers()
        await asyncio.gather(*tasks)


async def test_of_those_who_settle_one_delivery_at_once_one_is_written(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        endpoint = await telling.endpoint()
        await telling.events(20)
        await telling.placed()
        claimed = await telling.claim(endpoint)
        one, two = [tried(each, NOW + SECOND) for each in claimed], [taken(each) for each in claimed[::-1]]
        work = [partial(telling.settle, *batch) for batch in (one, two, one)]
        await _all_blocked_by(house, "SELECT FROM certpipe.deliveries FOR UPDATE", work)
        page = await telling.endpoints.deliveries(endpoint, state=None, event_id=None, cursor=None, limit=99)
        assert {len(each.attempts) for each in page.items} == {1}
        assert len({each.state for each in page.items}) == 1


async def test_the_last_thirty_attempts_are_kept(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        endpoint = await telling.endpoint()
        await telling.events(1)
        await telling.placed()
        for n in range(33):
            (claimed,) = await telling.claim(endpoint)
            await telling.settle(tried(claimed, NOW, at=NOW + n * SECOND))
        page = await telling.endpoints.deliveries(endpoint, state=None, event_id=None, cursor=None, limit=9)
        assert [each.at for each in page.items[0].attempts] == [NOW + n * SECOND for n in range(3, 33)]


async def test_health_is_written_where_it_changed_and_then_the_version_grows(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        endpoint = await telling.endpoint()
        (before,) = await telling.deliveries.targets([endpoint, uuid7()])
        await telling.deliveries.settle((), [healthy(endpoint)], now=NOW)
        assert await telling.deliveries.targets([endpoint]) == [before]
        await telling.deliveries.settle((), [failing(endpoint, 5, paused=NOW + SECOND)], now=NOW)
        (after,) = await telling.deliveries.targets([endpoint])
        assert (after.failures, after.failing_since, after.paused_until) == (5, NOW, NOW + SECOND)
        assert after.version == before.version + 1
        await telling.deliveries.settle((), [healthy(endpoint)], now=NOW)
        (again,) = await telling.deliveries.targets([endpoint])
        assert (again.failures, again.failing_since, again.paused_until) == (0, None, None)
        assert again.version == before.version + 2


async def test_an_endpoint_is_disabled_once_and_the_others_are_told(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        endpoint, other = await telling.endpoint(), await telling.endpoint()
        await telling.events(1)
        await telling.placed()
        (claimed,) = await telling.claim(endpoint)
        gone = [failing(endpoint, disable=DisabledBecause.GONE)]
        work = [partial(telling.deliveries.settle, attempted, gone, now=NOW) for attempted in ((), (), ())]
        await _all_blocked_by(house, "SELECT FROM certpipe.endpoints FOR UPDATE", work)
        await telling.deliveries.settle([tried(claimed, None)], gone, now=NOW + SECOND)
        view = await telling.endpoints.get(endpoint, [house.organization.id])
        assert view is not None
        assert (view.enabled, view.disabled_at, view.disabled_because) == (False, NOW, DisabledBecause.GONE)
        assert await telling.placed() == {other}
        (_, event) = [each.told.event for each in await telling.claim(other)]
        assert (event.type, event.timestamp) == (EventType.ENDPOINT_DISABLED, NOW)
        assert (event.data.endpoint_id, event.data.code) == (endpoint, "gone")
        row = await house.database.fetchrow("SELECT version FROM certpipe.endpoints WHERE id = $1", endpoint)
        assert row is not None
        assert event.data.sequence == row["version"]
        assert [each.id for each in await telling.deliveries.targets([endpoint, other])] == [other]


async def test_a_failure_from_before_its_owner_started_it_anew_does_not_disable_an_endpoint(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        endpoint = await telling.endpoint()
        old = failing(endpoint, 99, since=NOW - timedelta(days=5))
        await telling.deliveries.settle((), [old], now=NOW)
        await telling.endpoints.change(endpoint, EndpointChange(enabled=True), now=NOW)
        late = failing(endpoint, 100, since=NOW - timedelta(days=5), disable=DisabledBecause.FAILING)
        await telling.deliveries.settle((), [late], now=NOW + SECOND)
        view = await telling.endpoints.get(endpoint, [house.organization.id])
        assert view is not None
        assert (view.enabled, view.failures, view.failing_since) == (True, 0, None)


async def test_what_the_address_before_said_does_not_disable_an_endpoint_at_its_new_one(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        endpoint = await telling.endpoint()
        await telling.deliveries.settle((), [failing(endpoint, 7, paused=NOW + SECOND)], now=NOW)
        moved = await telling.endpoints.change(endpoint, EndpointChange(url="https://new.example/"), now=NOW)
        assert moved is not None
        assert (moved.failures, moved.failing_since, moved.paused_until) == (0, None, None)
        await telling.deliveries.settle((), [failing(endpoint, 1, disable=DisabledBecause.GONE)], now=NOW)
        view = await telling.endpoints.get(endpoint, [house.organization.id])
        assert view == moved
        gone = failing(endpoint, 1, disable=DisabledBecause.GONE, changed=NOW)
        await telling.deliveries.settle((), [gone], now=NOW)
        assert await telling.deliveries.targets([endpoint]) == []


async def test_the_log_goes_after_thirty_days_and_what_is_tried_still_stays(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        endpoint, disabled = await telling.endpoint(), await telling.endpoint()
        await telling.events(3)
        await telling.placed()
        done, failed, _ = await telling.claim(endpoint)
        await telling.settle(taken(done), tried(failed, None))
        await telling.endpoints.change(disabled, EndpointChange(enabled=False), now=NOW)
        await telling.deliveries.tidy(NOW + timedelta(days=30))
        assert await house.count("deliveries") == 6
        await telling.deliveries.tidy(NOW + timedelta(days=30) + SECOND)
        assert await house.count("deliveries", "endpoint_id = $1", disabled) == 0
        page = await telling.endpoints.deliveries(endpoint, state=None, event_id=None, cursor=None, limit=9)
        assert [each.state for each in page.items] == [DeliveryState.PENDING]


async def test_a_removed_endpoint_goes_with_all_that_was_its(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        endpoint, kept = await telling.endpoint(), await telling.endpoint()
        await telling.events(6_000)
        await telling.placed()
        await telling.endpoints.remove(endpoint, now=NOW)
        await telling.deliveries.tidy(NOW)
        assert await house.count("deliveries", "endpoint_id = $1", endpoint) == 0
        assert await house.count("endpoints") == 2
        await telling.deliveries.tidy(NOW + timedelta(hours=1))
        assert await house.count("deliveries", "endpoint_id = $1", kept) == 6_000
        assert await house.count("endpoints", "id = $1", kept) == await house.count("endpoints") == 1
