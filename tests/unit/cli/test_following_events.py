"""Following the stream of events, through what happens to servers."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from certpipe.cli.failure import CommandError, ExitCode
from certpipe.cli.following_events import LONGEST_PAUSE, SILENCE, EventStream
from certpipe.cli.sse import Message
from tests.unit.cli.test_follow import AWAY, GONE, Clock

Script = Sequence[bytes | CommandError]


@dataclass
class Server:
    """Streams these, one after the other; the next begins where the one before has ended or failed."""

    streams: Sequence[Script]
    asked: list[tuple[Mapping[str, str], Mapping[str, str]]] = field(default_factory=list)

    async def stream(
        self, path: str, params: Mapping[str, str], headers: Mapping[str, str], *, patience: float
    ) -> AsyncGenerator[bytes, None]:
        assert (path, patience) == ("/v1/events", SILENCE)
        self.asked.append((params, headers))
        for chunk in self.streams[len(self.asked) - 1]:
            if isinstance(chunk, CommandError):
                raise chunk
            yield chunk


async def follow(*streams: Script) -> tuple[CommandError, list[str], list[str], Server, Clock]:
    server, clock, told, troubles = Server(streams), Clock(), list[str](), list[str]()

    async def tell(message: Message) -> None:
        told.append(message.data)

    with pytest.raises(CommandError) as caught:
        await EventStream(server, clock, {"a": "b"}, tell, lambda: troubles.append("ready"), troubles.append).follow()
    return caught.value, told, troubles, server, clock


async def test_a_stream_that_ends_is_read_on_quietly_after_the_last_event_and_after_the_pause_that_was_asked() -> None:
    ended, told, troubles, server, clock = await follow(
        [b"retry: 2500\nid: 7\ndata: one\n\nid: 8\n", b"data: two\n\n"], [b"id: 9\ndata: three\n\n"], [GONE]
    )
    assert ended is GONE
    assert told == ["one", "two", "three"]
    assert [headers for _, headers in server.asked] == [{}, {"Last-Event-ID": "8"}, {"Last-Event-ID": "9"}]
    assert {tuple(params.items()) for params, _ in server.asked} == {(("a", "b"),)}
    assert clock.waits == [2.5, 2.5]
    assert troubles == ["ready"]


async def test_a_server_that_restarts_is_borne_for_as_long_as_it_takes_with_growing_pauses() -> None:
    away = [[AWAY]] * 8
    _, told, troubles, server, clock = await follow([b":\n\nid: 7\n\n"], *away, [b"data: back\n\n"], [GONE])
    assert told == ["back"]
    assert clock.waits == [1, 2, 4, 8, 16, *[LONGEST_PAUSE] * 4, 1]
    assert [troubles[0], troubles[-1]] == ["ready", "ready"]
    assert len(troubles[1:-1]) == len(away)
    assert "Trying again in 2 seconds" in troubles[1]
    assert server.asked[-2][1] == {"Last-Event-ID": "7"}


async def test_what_was_read_before_a_stream_broke_is_not_asked_for_again() -> None:
    _, told, _, server, _ = await follow([b"id: 7\ndata: one\n\nid: 8\nda", AWAY], [GONE])
    assert told == ["one"]
    assert server.asked[1][1] == {"Last-Event-ID": "7"}


async def test_a_server_that_was_never_there_ends_it_at_once() -> None:
    ended, _, troubles, _, clock = await follow([AWAY])
    assert ended is AWAY
    assert (troubles, clock.waits) == ([], [])


async def test_what_is_no_stream_of_events_ends_it() -> None:
    ended, told, _, _, _ = await follow([b"data: one\n\n", b"x" * (1024 * 1024 + 1)])
    assert told == ["one"]
    assert ended.exit_code is ExitCode.UNREACHABLE
    assert "no events" in ended.message
