"""Webhook endpoints as their owners manage them, their log, and sending again; tickets."""

import asyncio
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

import pytest

from certpipe.core.errors import Rejected
from certpipe.core.ids import uuid7
from certpipe.core.ports.webhooks import EndpointChange, Replayed, SealedText
from schemas.events import EventType
from schemas.webhooks import MOST_ENDPOINTS, DeliveryPage, DeliveryState, DisabledBecause
from tests.integration.storehouse import storehouse
from tests.integration.toldhouse import NOW, Toldhouse, failing, new_endpoint, new_keys, taken, tried

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
LONG_AGO = NOW - timedelta(days=99)


async def _log(
    telling: Toldhouse,
    endpoint: UUID,
    *,
    state: DeliveryState | None = None,
    event_id: str | None = None,
    cursor: int | None = None,
    limit: int = 99,
) -> DeliveryPage:
    return await telling.endpoints.deliveries(endpoint, state=state, event_id=event_id, cursor=cursor, limit=limit)


async def test_an_endpoint_is_shown_as_it_was_made_and_to_its_organization_only(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        mine, other = house.organization.id, await telling.organization()
        made = new_endpoint(mine, (EventType.STORED, EventType.REMOVED))
        view = await telling.endpoints.create(made, now=NOW)
        assert (view.id, view.organization_id, view.url, view.types) == (made.id, mine, made.url, made.types)
        assert (view.description, view.headers, view.public_key) == ("ours", ("X-Key",), made.keys.public_key)
        assert (view.enabled, view.failures, view.created_at, view.updated_at) == (True, 0, NOW, NOW)
        theirs = await telling.endpoint(organization=other)
        assert await telling.endpoints.get(made.id, [other, mine]) == view
        assert await telling.endpoints.get(made.id, [other]) is None
        assert await telling.endpoints.endpoints([mine]) == [view]
        assert [each.id for each in await telling.endpoints.endpoints([mine, other])] == [made.id, theirs]
        (target,) = await telling.deliveries.targets([made.id])
        assert (target.sealed, target.headers, target.previous) == (made.keys.sealed, made.headers, None)
        assert made.keys.secret.encode() not in repr(await house.database.fetch("TABLE certpipe.endpoints")).encode()


async def test_an_organization_has_at_most_so_many_endpoints_even_when_all_are_made_at_once(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        made = await asyncio.gather(*(telling.endpoint() for _ in range(MOST_ENDPOINTS + 5)), return_exceptions=True)
        refused = [each for each in made if isinstance(each, Rejected)]
        assert [each.problems[0].code for each in refused] == ["too_many_endpoints"] * 5
        await telling.endpoint(organization=await telling.organization())
        removed = next(each for each in made if isinstance(each, UUID))
        assert await telling.endpoints.remove(removed, now=NOW)
        await telling.endpoint()


async def test_what_is_not_changed_stays(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        endpoint = await telling.endpoint(EventType.STORED)
        before = await telling.endpoints.get(endpoint, [house.organization.id])
        assert before is not None
        changed = await telling.endpoints.change(endpoint, EndpointChange(url="https://x.org/"), now=NOW)
        assert changed == before.model_copy(update={"url": "https://x.org/", "updated_at": NOW})
        changed = await telling.endpoints.change(endpoint, EndpointChange(types=(None,), description=""), now=NOW)
        assert changed is not None
        assert (changed.url, changed.types, changed.description) == ("https://x.org/", None, "")
        sealed = SealedText("webhook-2", b"others")
        change = EndpointChange(types=((EventType.REMOVED,),), headers=(("A", "B"), sealed))
        changed = await telling.endpoints.change(endpoint, change, now=NOW)
        assert changed is not None
        assert (changed.types, changed.headers) == ((EventType.REMOVED,), ("A", "B"))
        (target,) = await telling.deliveries.targets([endpoint])
        assert (target.url, target.headers, target.version) == ("https://x.org/", sealed, 3)
        assert await telling.endpoints.change(uuid7(), change, now=NOW) is None


async def test_enabling_forgets_the_failures_and_what_was_pending_goes_on(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        endpoint = await telling.endpoint()
        await telling.events(2)
        await telling.placed()
        down = failing(endpoint, 7, paused=NOW + HOUR, disable=DisabledBecause.FAILING)
        await telling.deliveries.settle((), [down], now=NOW)
        assert await telling.claim(endpoint, now=NOW + 2 * HOUR) == []
        off = await telling.endpoints.change(endpoint, EndpointChange(enabled=False), now=NOW + HOUR)
        assert off is not None
        assert (off.enabled, off.disabled_at, off.disabled_because) == (False, NOW, DisabledBecause.FAILING)
        again = await telling.endpoints.change(endpoint, EndpointChange(enabled=True), now=NOW)
        assert again is not None
        assert (again.enabled, again.disabled_at, again.disabled_because) == (True, None, None)
        assert (again.failures, again.failing_since, again.paused_until) == (0, None, None)
        assert len(await telling.claim(endpoint)) == 2
        off = await telling.endpoints.change(endpoint, EndpointChange(enabled=False), now=NOW)
        assert off is not None
        assert off.disabled_because == DisabledBecause.OWNER


async def test_a_removed_endpoint_is_there_for_nobody(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        endpoint = await telling.endpoint()
        assert await telling.endpoints.remove(endpoint, now=NOW)
        assert not await telling.endpoints.remove(endpoint, now=NOW)
        assert await telling.endpoints.get(endpoint, [house.organization.id]) is None
        assert await telling.endpoints.endpoints([house.organization.id]) == []
        assert await telling.endpoints.change(endpoint, EndpointChange(enabled=True), now=NOW) is None
        assert await telling.endpoints.rotate(endpoint, new_keys(), now=NOW, previous_until=NOW) is None
        assert await telling.endpoints.revoke(endpoint, now=NOW) is None
        assert await telling.endpoints.ping(endpoint, now=NOW) is None


async def test_keys_are_rotated_with_an_overlap_and_the_old_ones_can_be_revoked(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        endpoint = await telling.endpoint()
        (before,) = await telling.deliveries.targets([endpoint])
        first, second, third = new_keys(), new_keys(), new_keys()
        view = await telling.endpoints.rotate(endpoint, first, now=NOW, previous_until=NOW + HOUR)
        assert view is not None
        assert (view.public_key, view.previous_secret_until) == (first.public_key, NOW + HOUR)
        (target,) = await telling.deliveries.targets([endpoint])
        assert (target.sealed, target.previous, target.previous_until) == (first.sealed, before.sealed, NOW + HOUR)
        assert target.version == before.version + 1
        with pytest.raises(Rejected, match="rotation_in_progress"):
            await telling.endpoints.rotate(endpoint, second, now=NOW + HOUR - SECOND, previous_until=NOW + HOUR)
        await telling.endpoints.rotate(endpoint, second, now=NOW + HOUR, previous_until=NOW + 2 * HOUR)
        (target,) = await telling.deliveries.targets([endpoint])
        assert (target.sealed, target.previous) == (second.sealed, first.sealed)
        revoked = await telling.endpoints.revoke(endpoint, now=NOW)
        assert revoked is not None
        assert revoked.previous_secret_until is None
        await telling.endpoints.rotate(endpoint, third, now=NOW, previous_until=NOW)
        (target,) = await telling.deliveries.targets([endpoint])
        assert (target.sealed, target.previous, target.previous_until) == (third.sealed, None, None)


async def test_the_log_is_read_in_pages_newest_first_by_state_and_by_event(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        endpoint, _ = await telling.endpoint(), await telling.endpoint()
        subjects = await telling.events(6)
        await telling.placed()
        claimed = await telling.claim(endpoint)
        await telling.settle(*map(taken, claimed[:2]), *(tried(each, None) for each in claimed[2:4]))
        places = [each.told.position for each in claimed][::-1]
        page = await _log(telling, endpoint, limit=4)
        assert ([each.id for each in page.items], page.next) == (places[:4], places[3])
        page = await _log(telling, endpoint, limit=4, cursor=page.next)
        assert ([each.id for each in page.items], page.next) == (places[4:], None)
        for state, expected in (("pending", places[:2]), ("failed", places[2:4]), ("delivered", places[4:])):
            page = await _log(telling, endpoint, state=DeliveryState(state), limit=1)
            assert ([each.id for each in page.items], page.next) == (expected[:1], expected[0])
            page = await _log(telling, endpoint, state=DeliveryState(state), limit=1, cursor=page.next)
            assert ([each.id for each in page.items], page.next) == (expected[1:], None)
        wanted = f"evt_{subjects[3].hex}_1"
        (view,) = (await _log(telling, endpoint, event_id=wanted)).items
        assert (view.id, view.event_id, view.type, view.state) == (places[2], wanted, EventType.RETRIED, "failed")
        assert (await _log(telling, endpoint, event_id=wanted, state=DeliveryState.DELIVERED)).items == ()
        for nothing in ("evt_x_1", "evt_1", f"evt_{uuid7().hex}_1", f"evt_{subjects[3].hex}_{2**40}"):
            assert (await _log(telling, endpoint, event_id=nothing)).items == ()


async def test_one_is_sent_again_with_a_whole_schedule_and_not_disturbed_while_it_is_sent(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        endpoint = await telling.endpoint()
        await telling.events(1)
        await telling.placed()
        (claimed,) = await telling.claim(endpoint)
        place = claimed.told.position
        leased = await telling.row(endpoint, place)
        view = await telling.endpoints.replay(endpoint, place, now=NOW + SECOND)
        assert view is not None
        assert await telling.row(endpoint, place) == leased
        await telling.settle(tried(claimed, NOW + HOUR))
        await telling.endpoints.replay(endpoint, place, now=NOW + SECOND)
        assert await telling.row(endpoint, place) == ("pending", NOW + SECOND, 1, 0)
        (claimed,) = await telling.claim(endpoint, now=NOW + SECOND)
        await telling.settle(taken(claimed))
        view = await telling.endpoints.replay(endpoint, place, now=NOW + HOUR)
        assert view is not None
        assert (view.state, view.next_attempt_at, len(view.attempts)) == ("pending", NOW + HOUR, 2)
        assert await telling.row(endpoint, place) == ("pending", NOW + HOUR, 2, 0)
        assert await telling.endpoints.replay(endpoint, place + 1, now=NOW) is None
        assert await telling.endpoints.replay(uuid7(), place, now=NOW) is None


async def test_all_that_failed_is_sent_again_in_slices_and_nothing_else(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        endpoint, other = await telling.endpoint(), await telling.endpoint()
        await telling.events(5)
        await telling.placed()
        claimed = await telling.claim(endpoint)
        theirs = await telling.claim(other)
        await telling.settle(
            taken(claimed[0]), *(tried(each, None) for each in claimed[1:4]), *(tried(each, None) for each in theirs)
        )
        places = [each.told.position for each in claimed]
        again = await telling.endpoints.replay_failed(endpoint, after=0, limit=2, now=NOW)
        assert again == Replayed(2, places[2])
        again = await telling.endpoints.replay_failed(endpoint, after=places[2], limit=2, now=NOW)
        assert again == Replayed(1, None)
        assert [each.told.position for each in await telling.claim(endpoint)] == places[1:4]
        assert await telling.claim(other) == []
        assert await telling.endpoints.replay_failed(endpoint, after=0, limit=2, now=NOW) == Replayed(0, None)


async def test_a_time_is_sent_again_with_what_was_never_got_and_without_what_is_not_wanted(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        await telling.events(2)
        await telling.placed()
        endpoint = await telling.endpoint(EventType.RETRIED)
        other = await telling.endpoint()
        await telling.endpoints.ping(other, now=NOW - HOUR)
        await telling.events(1, EventType.STORED)
        await telling.events(1, organization=await telling.organization())
        await telling.events(3)
        await telling.placed()
        done, failed, flying = await telling.claim(endpoint)
        await telling.settle(taken(done), tried(failed, None))
        now = NOW + SECOND
        again = await telling.endpoints.replay_range(endpoint, since=LONG_AGO, until=NOW, after=0, limit=99, now=now)
        assert again == Replayed(4, None)
        page = await _log(telling, endpoint)
        assert {each.type for each in page.items} == {EventType.RETRIED}
        assert [each.next_attempt_at for each in page.items] == [flying.leased_until, now, now, now, now]
        assert await telling.row(endpoint, done.told.position) == ("pending", now, 1, 0)
        assert len(await telling.claim(endpoint, now=now)) == 4


async def test_pings_of_its_own_are_sent_again_too(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        endpoint, other = await telling.endpoint(EventType.REMOVED), await telling.endpoint()
        await telling.endpoints.ping(endpoint, now=NOW)
        await telling.placed()
        asked = {"since": NOW, "until": NOW + SECOND}
        for each, count in ((endpoint, 1), (other, 0)):
            again = await telling.endpoints.replay_range(each, **asked, after=0, limit=9, now=NOW + HOUR)
            assert again.count == count


@pytest.mark.parametrize("limit", [1, 2, 3])
async def test_a_time_is_sent_again_in_slices_that_miss_none_and_repeat_none(database_url: str, limit: int) -> None:
    """Also where many happened at one moment, and where places are not in the order of times."""
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        for _ in range(2):
            await telling.events(5)
            await telling.placed()
            await house.database.execute(
                "UPDATE certpipe.events SET at = date_trunc('minute', at) - sequence * interval '1 day' "
                "WHERE position % 2 = 0 AND sequence = 1"
            )
        endpoint = await telling.endpoint()
        rows = await house.database.fetch("SELECT position FROM certpipe.events ORDER BY at, position")
        inside = {"since": LONG_AGO, "until": NOW}
        after: int | None = 0
        count = 0
        while after is not None:
            again = await telling.endpoints.replay_range(endpoint, **inside, after=after, limit=limit, now=NOW)
            count, after = count + again.count, again.next
            assert again.count <= limit
        assert count == len(rows) == 10
        assert len(await telling.claim(endpoint)) == 10


async def test_a_place_of_another_organization_tells_nothing_of_its_time(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        await telling.events(3)
        await telling.events(3, organization=await telling.organization())
        await telling.placed()
        endpoint = await telling.endpoint()
        strange = [each.position for each in await telling.all() if each.organization_id != house.organization.id]
        for after in strange:
            again = await telling.endpoints.replay_range(
                endpoint, since=LONG_AGO, until=NOW, after=after, limit=9, now=NOW
            )
            assert again == Replayed(3, None)


async def test_a_time_begins_with_its_first_moment_and_ends_before_its_last(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        await telling.events(4)
        await telling.placed()
        second, fourth = [(await telling.all())[n].event.timestamp for n in (1, 3)]
        endpoint = await telling.endpoint()
        await telling.endpoints.replay_range(endpoint, since=second, until=fourth, after=0, limit=9, now=NOW)
        claimed = await telling.claim(endpoint)
        assert [each.told for each in claimed] == (await telling.all())[1:3]


async def test_a_ticket_is_taken_once_and_not_after_its_time(database_url: str) -> None:
    async with storehouse(database_url) as house:
        tickets = Toldhouse(house).tickets
        one, two = sha256(b"one").digest(), sha256(b"two").digest()
        await tickets.issue(one, "somebody", now=NOW, expires_at=NOW + HOUR)
        await tickets.issue(two, "another", now=NOW, expires_at=NOW + HOUR)
        taken_ones = await asyncio.gather(*(tickets.take(one, now=NOW) for _ in range(8)))
        assert sorted(taken_ones, key=str) == [*[None] * 7, "somebody"]
        assert await tickets.take(two, now=NOW + HOUR) is None
        assert await tickets.take(sha256(b"three").digest(), now=NOW) is None


async def test_tickets_that_nobody_took_are_deleted(database_url: str) -> None:
    async with storehouse(database_url) as house:
        telling = Toldhouse(house)
        for n in range(3):
            await telling.tickets.issue(bytes([n]), "somebody", now=NOW, expires_at=NOW + n * HOUR)
        await telling.deliveries.tidy(NOW + HOUR)
        assert await house.count("tickets") == 1
