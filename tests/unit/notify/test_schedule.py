import random
from datetime import timedelta

from certpipe.notify.schedule import DELAYS, LONGEST, Schedule


def plain() -> Schedule:
    return Schedule(jitter=0.0)


def test_the_delays_are_those_of_standard_webhooks() -> None:
    seconds = [plain().delay(attempts) for attempts in range(1, 10)]
    hours = [2, 5, 10, 14, 20, 24]
    assert seconds == [
        timedelta(seconds=5),
        timedelta(minutes=5),
        timedelta(minutes=30),
        *(timedelta(hours=each) for each in hours),
    ]


def test_the_tenth_attempt_is_the_last() -> None:
    assert plain().delay(10) is None
    assert plain().delay(11) is None


def test_ten_attempts_take_about_seventy_five_hours() -> None:
    assert timedelta(hours=75) < timedelta(seconds=sum(DELAYS)) < timedelta(hours=76)


def test_jitter_moves_a_delay_by_a_tenth_at_the_most_and_not_always_the_same() -> None:
    schedule = Schedule(chance=random.Random(1))  # noqa: S311 - a repeatable test, not a secret
    delays = [delay.total_seconds() for _ in range(200) if (delay := schedule.delay(2))]
    assert len(set(delays)) > 100
    assert min(delays) >= 270
    assert max(delays) <= 330
    assert min(delays) < 300 < max(delays)


def test_jitter_never_makes_it_shorter_than_the_receiver_asked_for() -> None:
    schedule = Schedule(chance=random.Random(1))  # noqa: S311 - likewise
    assert all(schedule.delay(1, at_least=5.4) >= timedelta(seconds=5.4) for _ in range(200))  # type: ignore[operator] # not the last


def test_a_receiver_that_asks_for_less_than_the_schedule_gets_the_schedule() -> None:
    assert plain().delay(3, at_least=1.0) == timedelta(minutes=30)


def test_a_receiver_may_ask_for_a_day_at_the_most() -> None:
    assert plain().delay(1, at_least=1e9) == timedelta(seconds=LONGEST) == timedelta(days=1)


def test_attempts_that_are_our_fault_never_end_the_schedule() -> None:
    assert plain().unspent(1) == timedelta(seconds=5)
    assert plain().unspent(9) == plain().unspent(10) == plain().unspent(500) == timedelta(hours=24)
