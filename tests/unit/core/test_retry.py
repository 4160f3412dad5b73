import pytest

from certpipe.core.retry import Backoff


def test_delays_grow_up_to_the_cap_within_the_jitter() -> None:
    backoff = Backoff(first=1, factor=2, most=10, attempts=10, jitter=0.2)
    for attempt, full in [(1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (9, 10)]:
        delay = backoff.delay(attempt)
        assert delay is not None
        assert 0.8 * full <= delay <= full


def test_the_last_attempt_has_no_other_after_it() -> None:
    assert Backoff(attempts=3).delay(3) is None


@pytest.mark.parametrize(("asked", "granted"), [(60.0, 60.0), (1e12, 86_400.0)])
def test_retry_after_is_honoured_up_to_a_day(asked: float, granted: float) -> None:
    assert Backoff().delay(1, at_least=asked) == granted


def test_a_huge_attempt_number_does_not_overflow() -> None:
    assert Backoff(attempts=10**9).delay(10**8) is not None
