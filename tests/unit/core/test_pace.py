"""How fast a service is used."""

from itertools import pairwise

import pytest

from certpipe.core.pace import AHEAD, LATEST, SOONEST, Limits, Pace, parse_limits

MOST = 10.0
NAMES = {"sw-vault": None, "efisco": None}


def test_hand_overs_begin_no_faster_than_they_may() -> None:
    pace = Pace(Limits(10, 2.0))
    pace.begin(100.0, MOST)
    waits = [pace.begin(100.0, MOST) for _ in range(10)]
    assert waits == sorted(waits)
    assert [round(after - before, 6) for before, after in pairwise(waits)] == [0.5] * 9


def test_a_pause_saves_up_a_tenth_of_a_second_and_no_more() -> None:
    pace = Pace(Limits(10, 100.0))
    pace.begin(0.0, MOST)
    assert sum(pace.begin(1000.0, MOST) == 0 for _ in range(1000)) in {10, 11, 12}


def test_who_would_wait_too_long_is_promised_nothing_and_keeps_nobody_from_his_turn() -> None:
    pace = Pace(Limits(32, 2.0))
    promised = [pace.begin(100.0, MOST) for _ in range(100)]
    assert sum(wait <= MOST for wait in promised) == 21
    assert len({wait for wait in promised if wait > MOST}) == 1
    assert pace.begin(101.0, MOST) <= MOST


def test_a_clock_that_is_set_back_holds_nobody_up_for_long() -> None:
    pace = Pace(Limits(8, 2.0))
    pace.begin(10_000.0, MOST)
    assert MOST < pace.begin(100.0, MOST) <= MOST + 1
    assert pace.begin(101.0, MOST) <= MOST


def test_there_is_room_for_what_is_under_way_and_some_that_wait() -> None:
    pace = Pace(Limits(4, 100.0))
    assert pace.room(0) == 4 * (1 + AHEAD)
    assert pace.room(4 * (1 + AHEAD) - 1) == 1
    assert pace.room(1000) == 0


def test_who_finds_no_room_comes_behind_those_that_were_told_so_before() -> None:
    pace = Pace(Limits(1, 10.0))
    assert pace.put_off(50.0) == SOONEST
    pace.promise(40)
    assert pace.put_off(50.0) == pytest.approx(SOONEST + 40 * pace.spacing)
    pace.promise(100_000)
    assert pace.put_off(50.0) == LATEST
    assert pace.put_off(50_000.0) == SOONEST


def test_those_that_are_put_off_are_spread_as_fast_as_it_goes() -> None:
    pace = Pace(Limits(2, 10.0))
    assert pace.spacing == 0.1
    for _ in range(200):
        pace.took(4.0)
    assert pace.spacing == pytest.approx(2.0, rel=0.01)


def test_limits_are_set_by_name() -> None:
    assert parse_limits("efisco=4/2.5, sw-vault=64/500", NAMES) == {
        "efisco": Limits(4, 2.5),
        "sw-vault": Limits(64, 500),
    }
    assert parse_limits("", NAMES) == {}


@pytest.mark.parametrize(
    "text", ["efisco", "efisco=4", "efisco=0/1", "efisco=4/0", "efisco=4/-1", "efisco=4/inf", "efisco=4/nan", "x=1/1"]
)
def test_limits_that_cannot_be_are_named(text: str) -> None:
    with pytest.raises(ValueError, match=r"there is no service `x`|is not like efisco=4/2\.5"):
        parse_limits(text, NAMES)
