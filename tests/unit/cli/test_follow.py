"""Following an upload until it ends."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from certpipe.cli.client import Answer
from certpipe.cli.failure import CommandError, ExitCode
from certpipe.cli.follow import MOST_FAILURES, Follower
from schemas.status import State, UploadStatus
from tests.unit.cli.samples import START, UPLOAD, at_step, rejected

AWAY = CommandError("away", exit_code=ExitCode.UNREACHABLE)
GONE = CommandError("gone", exit_code=ExitCode.WRONG_USE)
SAME = Answer(304, {}, None)


@dataclass
class Clock:
    """Waits in no time, and notes for how long."""

    waits: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return START

    async def wait(self, seconds: float, *, until: asyncio.Event | None = None) -> bool:
        del until
        self.waits.append(seconds)
        return False


@dataclass
class Server:
    """Gives these answers, one after the other, then never answers again."""

    answers: Sequence[Answer | CommandError]
    asked: list[tuple[Mapping[str, str] | None, str | None]] = field(default_factory=list)

    async def get(
        self, path: str, params: Mapping[str, str] | None = None, *, etag: str | None = None, patience: float = 0
    ) -> Answer:
        assert path == f"/v1/uploads/{UPLOAD}"
        assert patience > int((params or {}).get("wait", 0))
        self.asked.append((params, etag))
        if len(self.asked) > len(self.answers):
            await asyncio.Event().wait()
        answer = self.answers[len(self.asked) - 1]
        if isinstance(answer, CommandError):
            raise answer
        return answer


def answer(upload: UploadStatus, etag: str | None) -> Answer:
    return Answer(200, {"ETag": etag} if etag else {}, upload.model_dump(mode="json"))


async def follow(
    *answers: Answer | CommandError, seconds: float | None = None
) -> tuple[UploadStatus, list[State], Server, Clock]:
    server, clock, seen = Server(answers), Clock(), list[State]()
    final = await Follower(server, clock).follow(UPLOAD, lambda upload: seen.append(upload.state), seconds=seconds)
    return final, seen, server, clock


async def test_it_waits_at_the_server_with_the_etag_of_what_it_has_and_shows_each_change() -> None:
    final, seen, server, clock = await follow(answer(at_step(0), '"0"'), SAME, answer(at_step(4), '"4"'))
    assert final.state is State.FORWARDED
    assert seen == [State.RECEIVED, State.FORWARDED]
    assert server.asked == [(None, None), ({"wait": "20"}, '"0"'), ({"wait": "20"}, '"0"')]
    assert clock.waits == []


async def test_a_bad_end_is_an_end() -> None:
    assert (await follow(answer(rejected(), '"1"')))[0].state is State.REJECTED


async def test_a_server_that_does_not_wait_is_not_asked_in_a_tight_loop() -> None:
    *_, clock = await follow(answer(at_step(0), None), answer(at_step(0), None), answer(at_step(4), None))
    assert len(clock.waits) == 2


async def test_a_server_that_restarts_is_borne_and_asked_with_growing_pauses() -> None:
    final, _, _, clock = await follow(answer(at_step(0), '"0"'), AWAY, AWAY, answer(at_step(4), '"4"'))
    assert final.ended
    assert clock.waits == [0.5, 1.0]


async def test_a_server_that_stays_away_ends_it() -> None:
    with pytest.raises(CommandError) as caught:
        await follow(*[AWAY] * (MOST_FAILURES + 1))
    assert caught.value.exit_code is ExitCode.UNREACHABLE


async def test_a_refusal_is_not_asked_again() -> None:
    with pytest.raises(CommandError) as caught:
        await follow(GONE)
    assert caught.value.exit_code is ExitCode.WRONG_USE


async def test_when_its_time_is_over_it_says_how_to_go_on() -> None:
    with pytest.raises(CommandError) as caught:
        await follow(answer(at_step(0), '"0"'), seconds=0.01)
    assert caught.value.exit_code is ExitCode.TIMED_OUT
    assert str(caught.value.hint) == f"certpipe watch {UPLOAD}"


async def test_an_answer_of_another_shape_is_told_as_such() -> None:
    with pytest.raises(CommandError, match="no sense"):
        await follow(Answer(200, {}, {"id": "x"}))


async def test_members_that_a_newer_server_added_are_passed_over() -> None:
    newer = Answer(200, {}, {**at_step(4).model_dump(mode="json"), "mood": "fine"})
    assert (await follow(newer))[0].ended
