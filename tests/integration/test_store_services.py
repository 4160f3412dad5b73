"""What waits for a service that is left alone waits in the database, and is let go from there."""

import asyncio
import itertools
from uuid import UUID

import pytest

from certpipe.core.breaker import BreakerRules
from certpipe.core.clock import SystemClock
from certpipe.core.errors import Barred, Unavailable
from certpipe.core.ids import uuid7
from certpipe.core.pace import Limits
from certpipe.core.ports.runtime import Held
from certpipe.core.ports.services import Standing
from certpipe.runtime.gate import ServiceGate
from certpipe.runtime.gatekeeper import Gatekeeper
from certpipe.store.ledgers import ForwardLedger
from schemas.base import Kind
from schemas.messages import UploadRef
from schemas.services import ServiceState
from tests.integration.history import at_present, elsewhere, held, leave_alone, several, told_since
from tests.integration.storehouse import AWAY, Storehouse, forwarded, storehouse

GOOD = BreakerRules().good
INFINITY = "due_at = 'infinity'"


async def let_go(house: Storehouse) -> list[UUID]:
    """What the sweeper lets go now."""
    waiting = "SELECT id FROM certpipe.uploads WHERE due_at = 'infinity' AND held_by IS NOT NULL"
    before = {row["id"] for row in await house.database.fetch(waiting)}
    await house.backlog.release()
    after = {row["id"] for row in await house.database.fetch(waiting)}
    return sorted(before - after)


async def give_up_probe(house: Storehouse) -> None:
    await house.database.execute("UPDATE certpipe.services SET open_until = now() WHERE state = 'half_open'")


async def test_uploads_wait_at_infinity_without_any_attempt_while_others_go_on(database_url: str) -> None:
    async with storehouse(database_url) as house:
        csd, fiel = await several(house, 3), await house.stored(kind=Kind.FIEL)
        house.forward = ForwardLedger(house.database, house.hinter, {Kind.CSD: ("sw",), Kind.FIEL: ("efisco",)})
        await leave_alone(house, "sw")
        loaded = await house.forward.load([*csd, fiel])
        assert [one.ref for one in loaded] == [fiel]
        for ref in csd:
            row = await house.row(ref.id)
            assert (row["state"], row["attempt"], row["held_by"]) == ("stored", 0, "sw")
            status = await house.statuses.upload(ref.id, [house.organization.id])
            assert status is not None
            assert (status.attempt, status.next_attempt_at) == (0, None)
        assert await house.count("uploads", INFINITY) == 3
        assert await house.count("handoffs", "destination = 'sw'") == 0
        assert await house.backlog.due(100) == {}
        assert await house.backlog.depth() == 4


async def test_a_lazy_note_of_a_dispatch_does_not_let_them_go(database_url: str) -> None:
    async with storehouse(database_url) as house:
        first, second = await several(house, 2)
        await leave_alone(house, "sw")
        await held(house, first, second)
        await house.backlog.dispatched([first, second, await at_present(house, first)])
        await house.backlog.close()
        assert await house.count("uploads", INFINITY) == 2


@pytest.mark.parametrize("how", ["used again", "tried", "deserted", "redriven"])
async def test_a_lazy_note_of_a_dispatch_does_not_put_off_what_was_let_go_since(database_url: str, how: str) -> None:
    """It is held and let go within the half second in which that note is on its way."""
    async with storehouse(database_url) as house:
        first, second = await several(house, 2)
        await leave_alone(house, "sw", seconds=0 if how == "tried" else 3600)
        await held(house, first)
        await house.backlog.dispatched([second])
        await held(house, second)
        match how:
            case "used again":
                await house.services.reset("sw")
            case "deserted":
                await unseen(house, "sw")
                await house.services.register({"renamed": 1000.0})
        if how == "redriven":
            await house.backlog.redrive()
        for _ in range(2):  # where it is tried, it is the second's turn after the first's
            await let_go(house)
            await give_up_probe(house)
        await house.backlog.close()
        assert (await house.row(second.id))["due_in"] < 60


async def test_once_left_alone_for_long_enough_one_at_a_time_tries_it_each_in_turn(database_url: str) -> None:
    async with storehouse(database_url) as house:
        refs = await several(house, 3)
        await leave_alone(house, "sw", seconds=0)
        refs = await held(house, *refs)
        tried = []
        for _ in range(4):
            (probe,) = await let_go(house)
            assert await let_go(house) == []
            tried.append(probe)
            (loaded,) = await house.forward.load([next(ref for ref in refs if ref.id == probe)])
            assert loaded.upload.probes == {"sw"}
            others = [ref for ref in refs if ref.id != probe]
            assert await house.forward.load(others) == []
            await house.services.opened("sw", seconds=0, problem=AWAY, probe=probe)
            assert await house.forward.load([loaded.ref]) == []
        assert tried == [*sorted(ref.id for ref in refs), min(ref.id for ref in refs)]
        assert {(await house.row(ref.id))["attempt"] for ref in refs} == {0}
        (view,) = await house.services.services()
        assert (view.state, view.openings, view.waiting) == (ServiceState.OPEN, 5, 3)


async def test_a_probe_that_nobody_ends_is_given_up_for_the_next(database_url: str) -> None:
    async with storehouse(database_url) as house:
        refs = await several(house, 2)
        await leave_alone(house, "sw", seconds=0)
        await held(house, *refs)
        (first,) = await let_go(house)
        await give_up_probe(house)
        (second,) = await let_go(house)
        assert {first, second} == {ref.id for ref in refs}
        await house.services.opened("sw", seconds=3600, problem=AWAY, probe=first)  # it counts no more
        assert (await house.services.standing())["sw"].state is ServiceState.HALF_OPEN
        await house.services.answered("sw", enough=GOOD)
        assert (await house.services.standing())["sw"].state is ServiceState.CLOSED


async def test_one_that_somebody_has_at_hand_is_not_waited_for_and_another_tries_it(database_url: str) -> None:
    async with storehouse(database_url) as house:
        first, second, third = await held_alone(house, 3)
        async with house.database.transaction() as session:
            await session.execute("UPDATE certpipe.uploads SET attempt = attempt WHERE id = $1", first.id)
            assert await let_go(house) == [second.id]
            await give_up_probe(house)
            assert await let_go(house) == [third.id]
            await give_up_probe(house)
            assert await let_go(house) == []
        assert await let_go(house) == [first.id]


async def held_alone(house: Storehouse, count: int) -> list[UploadRef]:
    """So many wait for a service that may be tried, in the order of their ids."""
    refs = await several(house, count)
    await leave_alone(house, "sw", seconds=0)
    return sorted(await held(house, *refs), key=lambda ref: ref.id)


async def test_it_is_used_again_after_enough_probes_or_when_nothing_waits(database_url: str) -> None:
    async with storehouse(database_url) as house:
        await leave_alone(house, "sw", seconds=0)
        await held(house, *await several(house, 4))
        for state in (ServiceState.HALF_OPEN, ServiceState.CLOSED):
            assert len(await let_go(house)) == 1
            await house.services.answered("sw", enough=GOOD)
            assert (await house.services.standing())["sw"].state is state
        assert len(await let_go(house)) == 2
        await leave_alone(house, "efisco", seconds=0)
        await held(house, await house.stored(kind=Kind.FIEL))
        await let_go(house)
        await house.services.answered("efisco", enough=100)
        assert (await house.services.standing())["efisco"] == Standing(ServiceState.CLOSED, 1)


async def test_what_is_let_go_is_spread_as_fast_as_the_service_is_used(database_url: str) -> None:
    async with storehouse(database_url) as house:
        refs = await several(house, 12)
        await leave_alone(house, "sw", rate=5.0)
        await held(house, *refs)
        await house.services.reset("sw")
        assert len(await let_go(house)) == 12
        times = sorted([(await house.row(ref.id))["due_at"] for ref in refs])
        apart = [(after - before).total_seconds() for before, after in itertools.pairwise(times)]
        assert apart == pytest.approx([0.2] * 11, abs=0.001)
        assert {(await house.row(ref.id))["held_by"] for ref in refs} == {None}


async def test_what_is_let_go_is_shared_out_between_organizations(database_url: str) -> None:
    async with storehouse(database_url) as house:
        many = await several(house, 9)
        few = [await elsewhere(house), await elsewhere(house)]
        await leave_alone(house, "sw", rate=0.5)
        await held(house, *many, *few)
        await house.services.reset("sw")
        first = [many[0], *few]
        assert set(await let_go(house)) == {ref.id for ref in first}
        times = [(await house.row(ref.id))["due_at"] for ref in first]
        assert [(after - before).total_seconds() for before, after in itertools.pairwise(times)] == [2, 2]
        assert await let_go(house) == [], "a few seconds of it at a time, so that who comes now is not far behind"
        await promised_passes(house)
        assert await let_go(house) == [ref.id for ref in many[1:4]]


async def test_of_more_organizations_than_are_let_go_at_once_all_are_in_a_few_looks(database_url: str) -> None:
    async with storehouse(database_url) as house:
        refs = [await elsewhere(house) for _ in range(12)]
        await leave_alone(house, "sw", rate=1.0)
        await held(house, *refs)
        await house.services.reset("sw")
        counts = []
        for _ in range(3):
            counts.append(len(await let_go(house)))
            await promised_passes(house)
        assert counts == [5, 5, 2]


async def promised_passes(house: Storehouse) -> None:
    """Until what was let go has had its time."""
    await house.database.execute("UPDATE certpipe.services SET released_until = now()")


async def test_of_a_service_with_much_promised_already_no_more_is_let_go(database_url: str) -> None:
    async with storehouse(database_url) as house:
        await leave_alone(house, "sw", rate=1.0)
        await held(house, *await several(house, 5))
        await house.services.reset("sw")
        assert len(await let_go(house)) == 5
        await leave_alone(house, "sw", rate=1.0)
        await held(house, *await several(house, 1))
        await house.database.execute("UPDATE certpipe.services SET state = 'closed'")
        assert await let_go(house) == []


async def test_several_sweepers_at_once_let_one_probe_go(database_url: str) -> None:
    async with storehouse(database_url) as house:
        await leave_alone(house, "sw", seconds=0)
        await held(house, *await several(house, 8))
        await asyncio.gather(*(house.backlog.release() for _ in range(6)))
        assert await house.count("uploads", INFINITY) == 7


async def test_a_newer_certificate_ends_the_older_one_that_waited_and_arrives_alone(database_url: str) -> None:
    async with storehouse(database_url) as house:
        older = await house.stored()
        await leave_alone(house, "sw")
        (older,) = await held(house, older)
        newer = await house.stored()
        (newer,) = await held(house, newer)
        await house.services.reset("sw")
        assert len(await let_go(house)) == 2
        (loaded,) = await house.forward.load([older, newer])
        assert loaded.ref == newer
        assert (await house.row(older.id))["state"] == "superseded"


async def test_what_is_removed_while_it_waits_is_not_let_go(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ref = await house.stored()
        await leave_alone(house, "sw")
        await held(house, ref)
        assert await house.removals.remove(house.party.id, Kind.CSD) is not None
        await house.services.reset("sw")
        assert await let_go(house) == []
        assert await house.backlog.redrive() == 0
        assert (await house.row(ref.id))["state"] == "superseded"


async def test_who_is_put_off_comes_again_without_an_attempt_and_its_intent_holds_nobody_back(
    database_url: str,
) -> None:
    async with storehouse(database_url) as house:
        older = await house.stored()
        (loaded,) = await house.forward.load([older])
        assert await house.forward.settle([Held(older, 40.0)]) == ()
        row = await house.row(older.id)
        assert (row["epoch"], row["attempt"], row["state"]) == (older.epoch, 0, "stored")
        assert 30 < row["due_in"] <= 40
        assert await told_since(house, older) == []
        newer = await house.stored()
        assert [one.ref for one in await house.forward.load([newer])] == [newer]
        assert loaded.upload.open_intents == frozenset()


async def test_being_put_off_does_not_let_go_what_waits(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ref = await house.stored()
        await house.forward.load([ref])
        await leave_alone(house, "sw")
        (ref,) = await held(house, ref)
        await house.forward.settle([Held(ref, 1.0)])
        assert await house.count("uploads", INFINITY) == 1


class OneRoom:
    """A destination with little room."""

    def __init__(self) -> None:
        self.promises: list[int] = []

    def room(self) -> int:
        return 2

    def put_off(self) -> tuple[float, float]:
        return 10.0, 5.0

    def promised(self, count: int) -> None:
        self.promises.append(count)


async def test_those_without_room_come_later_one_behind_the_other_the_first_accepted_first(database_url: str) -> None:
    async with storehouse(database_url) as house:
        room = OneRoom()
        house.forward = ForwardLedger(house.database, house.hinter, {Kind.CSD: ("sw",)}, {"sw": room})
        refs = await several(house, 5)
        loaded = await house.forward.load(refs)
        assert {one.ref.id for one in loaded} == {ref.id for ref in refs[:2]}
        assert room.promises == [3]
        later = [round((await house.row(ref.id))["due_in"]) for ref in refs[2:]]
        assert later == pytest.approx([10, 15, 20], abs=2)
        assert {(await house.row(ref.id))["attempt"] for ref in refs} == {0}
        assert await house.count("handoffs") == 2


async def test_what_room_there_is_organizations_get_in_turn(database_url: str) -> None:
    async with storehouse(database_url) as house:
        house.forward = ForwardLedger(house.database, house.hinter, {Kind.CSD: ("sw",)}, {"sw": OneRoom()})
        many, other = await several(house, 4), await elsewhere(house)
        loaded = await house.forward.load([*many, other])
        assert {one.ref.id for one in loaded} == {many[0].id, other.id}
        later = [round((await house.row(ref.id))["due_in"]) for ref in many[1:]]
        assert later == pytest.approx([10, 15, 20], abs=2)


async def test_redrive_lets_all_go_and_those_that_still_have_to_wait_wait_again(database_url: str) -> None:
    async with storehouse(database_url) as house:
        refs = await several(house, 3)
        await leave_alone(house, "sw")
        refs = await held(house, *refs)
        assert await house.backlog.redrive() == 3
        assert await house.count("uploads", "due_at <= now()") == 3
        await held(house, *refs)
        assert await house.count("uploads", INFINITY) == 3


async def test_whoever_opens_it_second_only_lengthens_it(database_url: str) -> None:
    async with storehouse(database_url) as house:
        await leave_alone(house, "sw", seconds=100)
        await house.services.opened("sw", seconds=10, problem=AWAY, probe=None)
        (view,) = await house.services.services()
        assert view.openings == 1
        until = view.until
        await house.services.opened("sw", seconds=1000, problem=AWAY, probe=None)
        (view,) = await house.services.services()
        assert until is not None
        assert view.until is not None
        assert view.until > until


async def test_openings_are_on_end_until_it_has_been_well_for_a_while(database_url: str) -> None:
    async with storehouse(database_url) as house:
        for _ in range(2):
            await leave_alone(house, "sw")
            await house.database.execute("UPDATE certpipe.services SET state = 'closed', since = now()")
        assert (await house.services.standing())["sw"] == Standing(ServiceState.CLOSED, 2)
        await house.database.execute("UPDATE certpipe.services SET since = now() - interval '10 minutes'")
        assert (await house.services.standing())["sw"] == Standing(ServiceState.CLOSED, 0)
        await leave_alone(house, "sw")
        assert (await house.services.standing())["sw"] == Standing(ServiceState.OPEN, 1)


async def test_operators_see_why_and_close_it_by_hand(database_url: str) -> None:
    async with storehouse(database_url) as house:
        await leave_alone(house, "sw", "efisco")
        await held(house, *await several(house, 2))
        efisco, sw = await house.services.services()
        assert (efisco.name, efisco.waiting, sw.waiting) == ("efisco", 0, 2)
        assert (sw.code, sw.message_en, sw.state) == (AWAY.code, AWAY.message_en, ServiceState.OPEN)
        assert sw.until is not None
        closed = await house.services.reset("sw")
        assert closed is not None
        assert (closed.state, closed.openings, closed.until, closed.waiting) == (ServiceState.CLOSED, 0, None, 2)
        assert await house.services.reset("nobody") is None


async def test_registering_again_changes_the_rate_and_leaves_it_open(database_url: str) -> None:
    async with storehouse(database_url) as house:
        await leave_alone(house, "sw")
        await house.services.register({"sw": 3.0})
        assert await house.count("services", "per_second = 3 AND state = 'open'") == 1


async def test_one_that_was_forwarded_by_somebody_else_meanwhile_is_no_longer_held(database_url: str) -> None:
    async with storehouse(database_url) as house:
        ref = await house.stored()
        await house.forward.load([ref])
        await leave_alone(house, "sw")
        (ref,) = await held(house, ref)
        await house.forward.settle([forwarded(UploadRef(id=ref.id, epoch=ref.epoch))])
        assert (await house.row(ref.id))["held_by"] is None
        await house.services.reset("sw")
        assert await let_go(house) == []


async def test_what_is_being_sent_already_is_held_but_keeps_its_epoch_so_that_its_end_counts(database_url: str) -> None:
    """Its message came a second time, after the service was left alone."""
    async with storehouse(database_url) as house:
        ref = await house.stored()
        await house.forward.load([ref])
        await leave_alone(house, "sw")
        assert await house.forward.load([ref]) == []
        await house.forward.settle([forwarded(ref)])
        assert (await house.row(ref.id))["state"] == "forwarded"


async def test_what_one_process_finds_failing_all_leave_alone_and_one_that_comes_later_goes_on(
    database_url: str,
) -> None:
    """The first process opens it, and is never heard of again; its limits are another's, too."""
    async with storehouse(database_url) as house:
        first, second, third = (ServiceGate("sw", Limits(2, 100.0), house.services, SystemClock()) for _ in range(3))
        await Gatekeeper(house.services, [first], SystemClock()).once()
        await house.services.register({"sw": 100.0})

        async def fails() -> None:
            raise Unavailable(AWAY, retry_after=0.0)

        with pytest.raises(Barred):
            await first.through(fails, uuid7(), probe=False)
        (ref,) = await held(house, await house.stored())
        await Gatekeeper(house.services, [second], SystemClock()).once()
        with pytest.raises(Barred):
            second.check(probe=False)

        async with asyncio.timeout(60):
            while not await let_go(house):
                await SystemClock().wait(0.1)
        (loaded,) = await house.forward.load([ref])

        async def takes() -> str:
            return "yes"

        assert await third.through(takes, ref.id, probe=loaded.upload.probes == {"sw"}) == "yes"
        for gate in (second, third):
            await Gatekeeper(house.services, [gate], SystemClock()).once()
            gate.check(probe=False)


async def unseen(house: Storehouse, *names: str) -> None:
    """No process that uses these has been heard of for a minute."""
    gone = "UPDATE certpipe.services SET seen_at = now() - interval '1 minute' WHERE name = ANY ($1)"
    await house.database.execute(gone, list(names))


async def seen(house: Storehouse) -> set[str]:
    recently = "SELECT name FROM certpipe.services WHERE seen_at > now() - interval '30 seconds'"
    return {row["name"] for row in await house.database.fetch(recently)}


async def test_what_waits_for_a_service_that_nobody_has_any_more_goes_to_what_serves_its_kind_now(
    database_url: str,
) -> None:
    async with storehouse(database_url) as house:
        await leave_alone(house, "sw")
        refs = await held(house, *await several(house, 3))
        await unseen(house, "sw")
        await house.services.register({"renamed": 1000.0})
        assert await let_go(house) == sorted(ref.id for ref in refs)
        assert (await house.services.standing())["sw"].state is ServiceState.OPEN
        house.forward = ForwardLedger(house.database, house.hinter, {Kind.CSD: ("renamed",)})
        assert [one.ref for one in await house.forward.load(refs)] == sorted(refs, key=lambda ref: ref.id)


@pytest.mark.parametrize("alive", [(), ("sw",), ("sw", "renamed")], ids=["nobody", "the old one", "both"])
async def test_what_waits_stays_where_its_service_is_in_use_or_nobody_is_there_at_all(
    database_url: str, alive: tuple[str, ...]
) -> None:
    async with storehouse(database_url) as house:
        await leave_alone(house, "sw")
        await house.services.register({"renamed": 1000.0})
        await held(house, *await several(house, 2))
        await unseen(house, "sw", "renamed")
        if alive:
            await house.services.present(alive)
        assert await let_go(house) == []


async def test_an_old_process_that_was_only_not_heard_of_holds_again_what_comes_to_it(database_url: str) -> None:
    async with storehouse(database_url) as house:
        await leave_alone(house, "sw")
        (ref,) = await held(house, await house.stored())
        await unseen(house, "sw")
        await house.services.register({"renamed": 1000.0})
        assert await let_go(house) == [ref.id]
        assert await held(house, ref) == [ref]
        await house.services.present(["sw"])
        assert await let_go(house) == []


async def test_that_a_process_lives_is_written_down_where_it_matters_and_not_else(database_url: str) -> None:
    async with storehouse(database_url) as house:
        await house.services.register({"sw": 1000.0, "renamed": 1000.0})
        await unseen(house, "sw", "renamed")
        await house.services.present(["sw"])
        assert await seen(house) == set()  # both are used
        await leave_alone(house, "sw")
        await unseen(house, "sw", "renamed")
        await house.services.present(["renamed"])
        assert await seen(house) == set()  # nothing waits for the other one
        await house.services.present(["sw"])
        assert await seen(house) == {"sw"}
        await held(house, await house.stored())
        await house.services.present(["renamed"])
        assert await seen(house) == {"sw", "renamed"}
