"""`certpipe dead` against a real HTTP server that answers like the API."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from certpipe.core.ports.dead import NEWER_WON
from certpipe.core.problems import INTERNAL
from certpipe.ingress.answers import problem_document
from schemas.dead import (
    DeadLetterPage,
    DeadLetterView,
    DeadReplayView,
    DeathReason,
    LetterAct,
    LetterState,
)
from schemas.status import Stage
from tests.integration.cli.conftest import Run
from tests.integration.cli.fake_api import FakeApi, Reply
from tests.unit.cli.samples import ORGANIZATION, START, UPLOAD


def letter(number: int = 17, **changes: Any) -> DeadLetterView:
    known: dict[str, Any] = {
        "state": LetterState.OPEN,
        "reason": DeathReason.FAILED,
        "died_at": START,
        "upload_id": UPLOAD,
        "organization_id": ORGANIZATION,
        "epoch": 8,
        "stage": Stage.ENCRYPT,
        "code": INTERNAL.code,
        "problems": (INTERNAL.view(),),
        **changes,
    }
    return DeadLetterView(id=number, **known)


def _query(api: FakeApi) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(api.received[-1].path).query))


MESSAGE = letter(
    16, reason=DeathReason.REFUSED, upload_id=None, epoch=None, stage=None, message={"user": "erp\x1b[31m", "bytes": 7}
)


def test_the_open_letters_are_listed_by_what_is_asked_for(api: FakeApi, run: Run) -> None:
    api.answers("GET /v1/dead", Reply(200, DeadLetterPage(items=(letter(), MESSAGE), next=16)))
    result = run("dead", "list", "--stage", "encrypt", "--code", "internal", "--since", "2026-11-30", "--limit", "2")
    assert result.exit_code == 0, result.output
    assert "17  ✗ open" in result.stdout
    assert str(UPLOAD) in result.stdout
    assert "\x1b" not in result.stdout
    assert "more: add --cursor 16" in result.stdout
    assert _query(api) == {
        "stage": "encrypt",
        "code": "internal",
        "since": "2026-11-30T00:00:00+00:00",
        "limit": "2",
        "state": "open",
    }


def test_all_are_listed_where_that_is_asked_for_and_none_is_said(api: FakeApi, run: Run) -> None:
    api.answers("GET /v1/dead", Reply(200, DeadLetterPage(items=())))
    result = run("dead", "list", "--all")
    assert (result.exit_code, result.stdout) == (0, "no dead letters.\n")
    assert "state" not in _query(api)


def test_one_is_shown_with_why_it_died_and_what_was_done_with_it(api: FakeApi, run: Run) -> None:
    act = LetterAct(act=LetterState.REPLAYED, by="olga", at=START + timedelta(hours=1))
    api.answers("GET /v1/dead/17", Reply(200, letter(state=LetterState.REPLAYED, history=(act,))))
    result = run("dead", "show", "17")
    assert result.exit_code == 0, result.output
    assert INTERNAL.message_en in result.stdout
    assert "replayed by olga" in result.stdout


def test_one_is_replayed(api: FakeApi, run: Run) -> None:
    api.answers("POST /v1/dead/17/replay", Reply(202, letter(state=LetterState.REPLAYED)))
    result = run("dead", "replay", "17", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["state"] == "replayed"


def test_why_it_cannot_go_on_is_told(api: FakeApi, run: Run) -> None:
    api.answers("POST /v1/dead/17/replay", Reply(409, problem_document([NEWER_WON], status=409)))
    result = run("dead", "replay", "17")
    assert result.exit_code == 2
    assert NEWER_WON.message_en in result.stderr


def test_many_are_replayed_slice_after_slice(api: FakeApi, run: Run) -> None:
    replies = [
        DeadReplayView(replayed=500, refused=1, next=700),
        DeadReplayView(replayed=2, refused=0, next=900),
        DeadReplayView(replayed=0, refused=0),
    ]
    api.answers("POST /v1/dead/replay", *(Reply(202, each) for each in replies))
    result = run("dead", "replay", "--stage", "encrypt", "--code", "internal")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("502 go on again; 1 cannot")
    sent = [each.document for each in api.received]
    assert sent == [{"stage": "encrypt", "code": "internal", "after": after} for after in (0, 700, 900)]


@pytest.mark.parametrize("wrong", [(), ("17", "--all"), ("17", "--stage", "encrypt"), ("--all", "--code", "x")])
def test_what_to_replay_must_be_clear(api: FakeApi, run: Run, wrong: tuple[str, ...]) -> None:
    result = run("dead", "replay", *wrong)
    assert result.exit_code == 2
    assert "not clear" in result.stderr
    assert api.received == []


def test_one_is_dropped(api: FakeApi, run: Run) -> None:
    api.answers("DELETE /v1/dead/17", Reply(200, letter(state=LetterState.DROPPED)))
    result = run("dead", "drop", "17")
    assert result.exit_code == 0, result.output
    assert "17  · dropped" in result.stdout
