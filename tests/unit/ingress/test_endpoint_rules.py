"""What may be asked of webhook endpoints."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from certpipe.core.webhook_headers import NAMES
from certpipe.ingress.endpoint_rules import header_faults, replayed_time
from certpipe.ingress.refusal import RefusedError
from schemas.webhooks import ReplayBody

NOW = datetime(2026, 6, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    "name", [*sorted(NAMES), "Proxy-Authorization", "webhook-id", "Webhook-Anything", "CONTENT-Type", "Host"]
)
def test_a_header_that_the_sender_writes_cannot_be_set(name: str) -> None:
    (fault,) = header_faults({"X-Team": "tax", name: "s3cr3t"})
    assert (fault.code, fault.field, fault.status) == ("reserved_header", f"headers.{name}", 422)
    assert "s3cr3t" not in repr(fault)
    assert all(each in str(fault.hint) for each in NAMES)


@pytest.mark.parametrize("name", ["Authorization", "X-Team", "X-Webhook-Id", "contenttype"])
def test_any_other_header_can(name: str) -> None:
    assert header_faults({name: "x"}) == []


def test_a_header_comes_once_whatever_the_capitals() -> None:
    (fault,) = header_faults({"X-Team": "a", "x-team": "b", "X-Other": "c"})
    assert (fault.code, fault.field, fault.status) == ("duplicate_header", "headers.x-team", 422)


@pytest.mark.parametrize(
    "body",
    [
        ReplayBody(),
        ReplayBody(failed=True, since=NOW),
        ReplayBody(failed=True, until=NOW),
        ReplayBody(until=NOW),
    ],
)
def test_a_replay_is_of_what_failed_or_of_a_time_and_never_of_both(body: ReplayBody) -> None:
    with pytest.raises(RefusedError) as refused:
        replayed_time(body, NOW)
    assert [(each.code, each.status) for each in refused.value.problems] == [("invalid_replay", 422)]


@pytest.mark.parametrize(
    ("since", "until"), [(NOW, None), (NOW + HOUR, None), (NOW - HOUR, NOW - HOUR), (NOW - HOUR, NOW - 2 * HOUR)]
)
def test_a_time_that_ends_before_it_begins_is_told_by_its_field(since: datetime, until: datetime | None) -> None:
    with pytest.raises(RefusedError) as refused:
        replayed_time(ReplayBody(since=since, until=until), NOW)
    assert [(each.code, each.field, each.status) for each in refused.value.problems] == [
        ("invalid_field", "since", 422)
    ]


def test_a_time_is_cut_to_what_can_have_happened() -> None:
    long_ago = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    never = datetime(9999, 12, 31, 23, 59, tzinfo=timezone(-timedelta(hours=12)))
    assert replayed_time(ReplayBody(since=long_ago, until=never), NOW) == (datetime(1970, 1, 1, tzinfo=UTC), NOW)
    assert replayed_time(ReplayBody(since=NOW - HOUR), NOW) == (NOW - HOUR, NOW)
    assert replayed_time(ReplayBody(since=NOW - HOUR, until=NOW - HOUR / 2), NOW) == (NOW - HOUR, NOW - HOUR / 2)


def test_what_failed_has_no_time() -> None:
    assert replayed_time(ReplayBody(failed=True, after=7), NOW) is None
