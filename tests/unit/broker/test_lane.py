"""Which frames settle which deliveries."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from certpipe.broker.lane import Ending, Outstanding


def delivered(tags: Iterable[int]) -> Outstanding:
    outstanding = Outstanding()
    for tag in tags:
        outstanding.add(tag)
    return outstanding


def test_a_gap_free_run_from_the_oldest_on_is_one_frame() -> None:
    assert delivered(range(1, 9)).settle([3, 1, 2], ranges=True) == [Ending(3, multiple=True)]


def test_a_range_that_somebody_is_still_before_is_settled_one_by_one() -> None:
    assert delivered(range(1, 5)).settle([2, 3], ranges=True) == [Ending(2, multiple=False), Ending(3, multiple=False)]


def test_one_tag_is_no_range() -> None:
    assert delivered([7, 8]).settle([7], ranges=True) == [Ending(7, multiple=False)]


def test_tags_that_are_settled_or_foreign_are_no_matter() -> None:
    outstanding = delivered([1, 2])
    assert outstanding.settle([1, 1, 99], ranges=True) == [Ending(1, multiple=False)]
    assert outstanding.settle([1], ranges=True) == []
    assert len(outstanding) == 1


@given(
    st.integers(0, 30).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.sets(st.integers(1, 40))))), st.booleans()
)
def test_a_broker_that_obeys_the_frames_settles_exactly_what_was_meant(
    case: tuple[int, list[set[int]]],
    ranges: bool,  # noqa: FBT001 - hypothesis passes by position
) -> None:
    count, rounds = case
    outstanding, at_broker = delivered(range(1, count + 1)), set(range(1, count + 1))
    for meant in rounds:
        expected = at_broker - meant
        for tag, multiple in outstanding.settle(meant, ranges=ranges):
            assert tag in at_broker, "a tag that is settled twice closes the channel"
            at_broker -= {each for each in at_broker if each <= tag} if multiple else {tag}
        assert at_broker == expected
        assert len(outstanding) == len(at_broker)
