"""How long a hand-over may take."""

import pytest

from certpipe.core.patience import ANSWER, MOST_ATTEMPT, MOST_WAIT, Patience


@pytest.mark.parametrize("answer", [1.0, 2.0, 10.0, ANSWER])
def test_an_attempt_with_all_that_it_waits_for_is_over_before_others_take_it_to_be(answer: float) -> None:
    patience = Patience(answer)
    assert 2 * MOST_WAIT + patience.turn <= MOST_ATTEMPT - 20
    assert 2 * answer < patience.turn
    assert answer <= patience.probe <= patience.turn


def test_a_probe_at_a_service_that_is_as_slow_as_it_may_be_has_time_for_all_its_exchanges() -> None:
    assert Patience(2.0).probe == 4 * 2.0


@pytest.mark.parametrize("answer", [0.0, -1.0, 30.1, float("inf"), float("nan")])
def test_who_would_take_longer_than_others_count_with_is_refused(answer: float) -> None:
    with pytest.raises(ValueError, match="at the most 30: an attempt has to be over within 120 seconds"):
        Patience(answer)
