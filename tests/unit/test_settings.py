"""What one setting says of another."""

import pytest

from certpipe.settings import Settings


@pytest.mark.parametrize(
    ("limit", "own", "expected"), [(100_000, None, 50_000), (1, None, 1), (100, 30, 30), (10, 99, 99)]
)
def test_an_organization_may_have_half_of_all_on_its_way_unless_it_is_said(
    limit: int, own: int | None, expected: int
) -> None:
    assert Settings(backlog_limit=limit, backlog_per_organization=own).organization_limit == expected
