"""When a service is left alone, and for how long."""

from dataclasses import replace
from uuid import UUID

import pytest

from certpipe.core.breaker import Breaker, BreakerRules, Fault
from certpipe.core.ids import uuid7

RULES = BreakerRules()


def failures(breaker: Breaker, count: int, fault: Fault = Fault.AWAY, at: float = 0.0) -> list[bool]:
    return [breaker.failed(fault, uuid7(), at) for _ in range(count)]


def test_it_opens_when_so_many_uploads_on_end_have_failed_and_not_before() -> None:
    assert failures(Breaker(RULES), RULES.in_a_row) == [False] * (RULES.in_a_row - 1) + [True]


def test_one_answer_begins_the_row_again() -> None:
    breaker = Breaker(replace(RULES, least=100))
    failures(breaker, RULES.in_a_row - 1)
    breaker.answered(0.0)
    assert failures(breaker, RULES.in_a_row) == [False] * (RULES.in_a_row - 1) + [True]


def test_one_upload_that_always_fails_opens_nothing() -> None:
    breaker, poison = Breaker(RULES), uuid7()
    assert not any(breaker.failed(Fault.AWAY, poison, float(at)) for at in range(100))


@pytest.mark.parametrize("share", [0.4, 0.6])
def test_a_share_of_failures_opens_it_where_there_were_enough_calls(share: float) -> None:
    breaker = Breaker(replace(RULES, in_a_row=1000))
    opened = []
    for turn in range(100):
        if turn * 7 % 10 < share * 10:
            opened.append(breaker.failed(Fault.AWAY, uuid7(), 0.0))
        else:
            breaker.answered(0.0)
    assert any(opened) is (share > RULES.share)
    assert not any(opened[: int(RULES.least * share) - 1])


def test_what_is_past_counts_no_more() -> None:
    breaker = Breaker(replace(RULES, in_a_row=3, least=4))
    for at in range(2):
        breaker.failed(Fault.AWAY, uuid7(), float(at))
    breaker.answered(2.0)
    late = RULES.window + 3.0
    assert not breaker.failed(Fault.AWAY, uuid7(), late)
    assert not breaker.failed(Fault.AWAY, uuid7(), late)


@pytest.mark.parametrize("fault", [Fault.ASKED, Fault.REFUSED])
def test_who_asks_us_to_wait_or_refuses_our_account_is_left_alone_at_once(fault: Fault) -> None:
    breaker = Breaker(RULES)
    for _ in range(50):
        breaker.answered(0.0)
    assert breaker.failed(fault, uuid7(), 0.0)


def test_one_certificate_that_is_forbidden_among_others_that_are_taken_opens_nothing() -> None:
    breaker = Breaker(RULES)
    assert breaker.failed(Fault.FORBIDDEN, uuid7(), 0.0)
    breaker.reset()
    breaker.answered(0.0)
    assert not breaker.failed(Fault.FORBIDDEN, uuid7(), 0.0)


def test_a_service_that_was_closed_begins_again() -> None:
    breaker = Breaker(RULES)
    failures(breaker, RULES.in_a_row)
    breaker.reset()
    assert failures(breaker, RULES.in_a_row) == [False] * (RULES.in_a_row - 1) + [True]


def calm(rules: BreakerRules) -> BreakerRules:
    return replace(rules, away=replace(rules.away, jitter=0.0), refused=replace(rules.refused, jitter=0.0))


def test_it_stays_open_for_longer_each_time_up_to_a_bound_low_enough_to_be_back_soon() -> None:
    assert [calm(RULES).open_for(Fault.AWAY, times) for times in (1, 2, 3, 4, 50)] == [1, 2, 4, 4, 4]


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.FORBIDDEN])
def test_a_refused_account_is_left_alone_for_much_longer(fault: Fault) -> None:
    assert [calm(RULES).open_for(fault, times) for times in (1, 2, 3, 4, 5, 50)] == [300, 600, 1200, 2400, 3600, 3600]


def test_chance_spreads_the_openings() -> None:
    found = {RULES.open_for(Fault.AWAY, 50) for _ in range(20)}
    assert len(found) > 1
    assert all(0.8 * RULES.away.most <= each <= RULES.away.most for each in found)


@pytest.mark.parametrize(("asked", "heard"), [(0.5, 1), (30, 30), (90_000, 3600)])
def test_what_the_service_asks_for_is_honoured_up_to_an_hour(asked: float, heard: float) -> None:
    assert calm(RULES).open_for(Fault.ASKED, 1, asked=asked) == heard


def test_no_count_grows_with_what_is_past() -> None:
    breaker, upload = Breaker(replace(RULES, window=1.0)), UUID(int=1)
    for at in range(5000):
        breaker.failed(Fault.AWAY, upload, float(at))
    assert len(breaker._calls) <= 2
