from datetime import timedelta
from uuid import UUID

import pytest

from certpipe.core.ports.webhooks import Health
from certpipe.notify.standing import BREAKS_AT, CHANCE, Standing, pause
from schemas.webhooks import DisabledBecause
from tests.fakes import AT
from tests.unit.notify.queue import target

SECOND = timedelta(seconds=1)


def failing(times: int) -> Standing:
    """After so many failures on end, one a second, pauses kept."""
    standing, at = Standing(), AT
    for _ in range(times):
        at = max(at, standing.paused_until or at)
        standing = standing.failed(at, at)
        at += SECOND
    return standing


def test_failures_are_counted_and_the_first_is_remembered() -> None:
    standing = failing(3)
    assert (standing.failures, standing.failing_since, standing.paused_until) == (3, AT, None)
    assert not standing.broken


def test_the_fifth_failure_on_end_pauses_for_five_seconds() -> None:
    standing = failing(BREAKS_AT)
    assert standing.broken
    assert standing.paused_until == AT + 4 * SECOND + timedelta(seconds=5)
    assert standing.paused(AT + 8 * SECOND)
    assert not standing.paused(AT + 9 * SECOND)


@pytest.mark.parametrize(("failures", "seconds"), [(5, 5), (6, 10), (7, 20), (10, 160), (11, 300), (500, 300)])
def test_pauses_grow_from_five_seconds_to_five_minutes(failures: int, seconds: int) -> None:
    assert pause(failures) == timedelta(seconds=seconds)


def test_what_was_on_its_way_when_the_pause_began_does_not_lengthen_it() -> None:
    broken = failing(BREAKS_AT)
    assert broken.failed(AT, AT + 7 * SECOND) == broken


def test_a_probe_that_fails_lengthens_the_pause() -> None:
    broken = failing(BREAKS_AT)
    assert broken.paused_until
    probed = broken.failed(broken.paused_until, broken.paused_until + SECOND)
    assert probed.failures == BREAKS_AT + 1
    assert probed.paused_until == broken.paused_until + SECOND + timedelta(seconds=10)


def test_five_days_of_failures_end_it() -> None:
    standing = failing(6)
    assert standing.failed(AT + CHANCE - SECOND, AT + CHANCE - SECOND).disable is None
    ended = standing.failed(AT + CHANCE, AT + CHANCE)
    assert ended.disable is DisabledBecause.FAILING
    assert ended.paused(AT + 2 * CHANCE)


def test_gone_ends_it_at_once_and_once() -> None:
    gone = Standing().gone(AT)
    assert gone.disable is DisabledBecause.GONE
    assert gone.gone(AT + SECOND) == gone
    assert gone.failed(AT, AT + SECOND) == gone


def test_a_rest_is_no_failure() -> None:
    resting = failing(2).resting(AT + 60 * SECOND)
    assert (resting.failures, resting.failing_since) == (2, AT)
    assert resting.paused(AT + 59 * SECOND)
    assert not resting.paused(AT + 60 * SECOND)


def test_it_is_read_and_written_as_the_store_keeps_it() -> None:
    to = target(UUID(int=1), failures=7, failing_since=AT, paused_until=AT + SECOND)
    assert Standing.of(to).health(to) == Health(to.id, AT, 7, AT, AT + SECOND)
