from datetime import timedelta

from certpipe.notify.lanes import FIRST_WIDTH, MOST_HELD, Lane
from certpipe.notify.standing import BREAKS_AT, Standing
from schemas.webhooks import DisabledBecause
from tests.fakes import AT
from tests.unit.notify.queue import claimed, signing, target

LEASE = timedelta(seconds=60)


def lane(*, failures: int = 0, opened: bool = True) -> Lane:
    to = target(failures=failures)
    return Lane(to, signing() if opened else None, at_once=16, timeout=15.0, lease=LEASE, now=AT)


def fill(into: Lane, count: int) -> None:
    into.put([claimed(into.target.id, number + 1) for number in range(count)], AT)


def deliver(on: Lane, count: int, *, seconds: float) -> None:
    """So many successes, one after another."""
    for _ in range(count):
        fill(on, 1)
        assert on.next(AT)
        on.landed(Standing(), seconds)


def test_a_new_lane_sends_few_at_once_and_claims_few() -> None:
    new = lane()
    assert new.width == FIRST_WIDTH
    assert new.room == 12  # what can be sent within half of the 45 seconds, if each takes half of the timeout


def test_each_success_allows_one_more_at_once_up_to_the_limit() -> None:
    fast = lane()
    deliver(fast, 3, seconds=0.01)
    assert fast.width == FIRST_WIDTH + 3
    deliver(fast, 50, seconds=0.01)
    assert fast.width == 16


def test_a_fast_endpoint_may_have_hundreds_claimed() -> None:
    fast = lane()
    deliver(fast, 60, seconds=0.002)
    assert fast.capacity == fast.room == MOST_HELD


def test_a_slow_endpoint_never_has_more_claimed_than_it_can_take_within_its_lease() -> None:
    slow = lane()
    deliver(slow, 60, seconds=9.0)
    assert slow.capacity * 9.0 / slow.width < 45.0
    fill(slow, slow.room)
    assert slow.room == 0


def test_there_is_no_room_until_it_is_worth_a_claim() -> None:
    fast = lane()
    deliver(fast, 60, seconds=0.002)
    fill(fast, 300)
    assert fast.room == 0
    for _ in range(45):
        assert fast.next(AT)
        fast.landed(Standing(), 0.002)
    assert fast.room == MOST_HELD - 255


def test_it_gives_out_no_more_at_once_than_its_width() -> None:
    new = lane()
    fill(new, 10)
    assert [each.told.position for _ in range(10) if (each := new.next(AT))] == [1, 2, 3, 4]
    assert new.held == 10


def test_a_broken_one_is_probed_by_one_at_a_time() -> None:
    broken = lane(failures=BREAKS_AT)
    assert (broken.width, broken.room) == (1, 1)
    fill(broken, 3)
    assert broken.next(AT)
    assert broken.next(AT) is None
    assert broken.room == 0


def test_one_whose_keys_cannot_be_opened_is_tried_by_one_at_a_time() -> None:
    assert (lane(opened=False).width, lane(opened=False).room) == (1, 1)


def test_nothing_is_given_out_while_it_is_paused_and_what_it_has_stays() -> None:
    pausing = lane()
    fill(pausing, 2)
    assert pausing.next(AT)
    assert pausing.landed(Standing(5, AT, AT + timedelta(seconds=5)), 0.1)
    assert pausing.next(AT) is None
    assert pausing.next(AT + timedelta(seconds=5))


def test_what_could_outlive_its_lease_is_given_up() -> None:
    late = lane()
    early, last = (claimed(late.target.id, number, until=AT + timedelta(seconds=14 + number)) for number in (1, 2))
    late.put([early, last], AT)
    assert late.next(AT) is last
    assert late.next(AT) is None
    assert late.held == 1


def test_when_it_is_ended_it_gives_up_all_that_it_has() -> None:
    ended = lane()
    fill(ended, 5)
    assert ended.next(AT)
    assert ended.landed(Standing(1, AT, None, DisabledBecause.GONE), 0.1)
    assert ended.next(AT) is None
    assert ended.held == 0


def test_only_a_standing_that_is_another_is_worth_writing_down() -> None:
    steady = lane()
    fill(steady, 3)
    for _ in range(3):
        assert steady.next(AT)
    assert not steady.landed(Standing(), 0.1)
    assert steady.landed(Standing(1, AT), 0.1)
    assert steady.landed(Standing(), 0.1)


def test_a_changed_endpoint_begins_with_the_standing_that_is_written() -> None:
    changed = lane(failures=7)
    changed.renew(target(changed.target.id, version=2), signing())
    assert changed.standing == Standing()
    assert changed.width == FIRST_WIDTH
