"""`/v1/dead`: operators look at what died, let it go on again, and give it up."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from certpipe.core.ids import uuid7
from schemas.dead import DeadLetterPage, DeadLetterView, DeadReplayView, DeathReason, LetterState
from schemas.status import ProblemDocument, Stage
from tests.dead_fakes import AT
from tests.integration.door import Door, open_door

ROOT = "root"


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with open_door() as opened:
        yield opened


def put(door: Door, number: int, **changes: Any) -> DeadLetterView:
    values: dict[str, Any] = {
        "state": LetterState.OPEN,
        "reason": DeathReason.FAILED,
        "died_at": AT + timedelta(minutes=number),
        "upload_id": uuid7(),
        "stage": Stage.FORWARD,
        "code": "pac_unavailable",
        **changes,
    }
    letter = DeadLetterView(id=number, **values)
    door.dead_letters.letters[number] = letter
    return letter


async def test_the_list_is_paged_and_filtered(door: Door) -> None:
    put(door, 1, stage=Stage.VALIDATE)
    put(door, 2, code="internal")
    put(door, 3, state=LetterState.DROPPED)
    put(door, 4)
    for query, wanted in (
        ("", [4, 3, 2, 1]),
        ("?stage=validate", [1]),
        ("?code=internal", [2]),
        ("?state=open", [4, 2, 1]),
        ("?since=2026-06-01T00:03:00Z", [4, 3]),
        ("?since=2026-06-01T02:03:00%2B02:00", [4, 3]),
        ("?cursor=3", [2, 1]),
        ("?limit=3", [4, 3, 2]),
    ):
        async with door.call("GET", f"/v1/dead{query}", subject=ROOT) as answer:
            page = DeadLetterPage.model_validate_json(await answer.text())
            assert (answer.status, [letter.id for letter in page.items]) == (200, wanted), query
            assert page.next == (2 if query == "?limit=3" else None)


@pytest.mark.parametrize(
    "query",
    [
        "since=yesterday",
        "since=2026-06-01T00:00:00",
        "since=0.5",
        "stage=notify",
        "state=dead",
        "code=A%20b",
        "cursor=0",
    ],
)
async def test_a_filter_that_means_nothing_is_refused_by_its_name(door: Door, query: str) -> None:
    async with door.call("GET", f"/v1/dead?{query}", subject=ROOT) as answer:
        problem = ProblemDocument.model_validate_json(await answer.text())
        assert (answer.status, problem.errors[0].field) == (400, query.partition("=")[0])


async def test_one_is_shown_replayed_once_and_says_by_whom(door: Door) -> None:
    put(door, 7)
    async with door.call("POST", "/v1/dead/7/replay", subject=ROOT) as answer:
        assert answer.status == 202
        assert DeadLetterView.model_validate_json(await answer.text()).history[0].by == "root"
    async with door.call("GET", "/v1/dead/7", subject=ROOT) as answer:
        assert DeadLetterView.model_validate_json(await answer.text()).state is LetterState.REPLAYED
    for method, path in (("POST", "/v1/dead/7/replay"), ("DELETE", "/v1/dead/7")):
        async with door.call(method, path, subject=ROOT) as answer:
            problem = ProblemDocument.model_validate_json(await answer.text())
            assert (answer.status, problem.code) == (409, "letter_closed")


async def test_a_message_cannot_be_replayed_and_can_be_dropped(door: Door) -> None:
    put(door, 8, upload_id=None, reason=DeathReason.REFUSED)
    async with door.call("POST", "/v1/dead/8/replay", subject=ROOT) as answer:
        problem = ProblemDocument.model_validate_json(await answer.text())
        assert (answer.status, problem.code) == (409, "nothing_left")
        assert problem.errors[0].hint
    async with door.call("DELETE", "/v1/dead/8", subject=ROOT) as answer:
        assert DeadLetterView.model_validate_json(await answer.text()).state is LetterState.DROPPED


async def test_many_are_replayed_by_what_they_died_of(door: Door) -> None:
    for number in range(1, 6):
        put(door, number, code="internal" if number % 2 else "pac_unavailable")
    body = {"code": "internal", "stage": "forward", "since": "2026-06-01T00:02:00Z", "after": 1}
    async with door.call("POST", "/v1/dead/replay", json=body, subject=ROOT) as answer:
        assert answer.status == 202
        view = DeadReplayView.model_validate_json(await answer.text())
        assert (view.replayed, view.refused, view.next) == (2, 0, 5)
    async with door.call("POST", "/v1/dead/replay", json={**body, "after": 5}, subject=ROOT) as answer:
        assert DeadReplayView.model_validate_json(await answer.text()).next is None


@pytest.mark.parametrize(
    "body", [{"code": "A b"}, {"stage": "x"}, {"since": "2026-06-01"}, {"since": 0}, {"after": "1"}, {"x": 1}]
)
async def test_a_replay_that_means_nothing_changes_nothing(door: Door, body: dict[str, Any]) -> None:
    put(door, 1)
    async with door.call("POST", "/v1/dead/replay", json=body, subject=ROOT) as answer:
        assert answer.status == 400
    assert door.dead_letters.letters[1].state is LetterState.OPEN


@pytest.mark.parametrize("number", ["0", "x", "1.5", "-1", "9" * 30])
async def test_what_is_no_number_or_unknown_is_404(door: Door, number: str) -> None:
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/replay")):
        async with door.call(method, f"/v1/dead/{number}{path}", subject=ROOT) as answer:
            assert answer.status == 404


@pytest.mark.parametrize("subject", ["olivia", "mario", "stranger"])
async def test_owners_members_and_strangers_are_refused(door: Door, subject: str) -> None:
    put(door, 1)
    for method, path in (
        ("GET", "/v1/dead"),
        ("GET", "/v1/dead/1"),
        ("POST", "/v1/dead/1/replay"),
        ("POST", "/v1/dead/replay"),
        ("DELETE", "/v1/dead/1"),
    ):
        async with door.call(method, path, subject=subject) as answer:
            assert answer.status == 403
    assert door.dead_letters.letters[1].history == ()
