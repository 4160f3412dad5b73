"""Streams of events at the door: what they say, where they go on, when they end, and who gets them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import UUID

import aiohttp
import pytest

from certpipe.core.ids import uuid7
from certpipe.core.ports.doors import NewUpload
from certpipe.core.uploads import Box
from schemas.base import Kind
from schemas.events import EventType
from schemas.status import ProblemDocument, State
from schemas.upload import SealFormat
from tests.integration.door import Door, open_door
from tests.stream_fakes import told

PATIENCE = 30


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with open_door() as opened:
        yield opened


async def accepted(door: Door, organization: UUID | None = None) -> UUID:
    """An upload of ours, or of another organization."""
    upload = NewUpload(
        id=uuid7(),
        organization_id=organization or door.organization,
        party_id=door.party,
        kind=Kind.CSD,
        rfc=None,
        door="http",
        submitted_by="olivia",
        box=Box(SealFormat.HPKE, "intake-1", b"x"),
    )
    await door.store.accept(upload)
    door.feed.events.append(told(len(door.feed.events) + 1, upload.organization_id, upload.id, 0, EventType.RECEIVED))
    return upload.id


def step(door: Door, upload: UUID, state: State, *, ended: bool = False) -> None:
    """The next step of an upload, told."""
    door.store.move(upload, state)
    place, sequence = len(door.feed.events) + 1, door.store.states[upload][1]
    door.feed.events.append(told(place, door.organization, upload, sequence, ended=ended))


class Stream:
    """What comes of a stream, as its lines."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer

    async def ids(self, count: int) -> list[str]:
        """The ids of so many events that come next. An id without an event is where the stream begins."""
        found: list[str] = []
        last = ""
        async with asyncio.timeout(PATIENCE):
            while len(found) < count:
                line = (await self.answer.content.readline()).decode()
                assert line, "the stream has ended"
                last = line.removeprefix("id: ").strip() if line.startswith("id: ") else last
                if line.startswith("event: "):
                    found.append(last)
        return found

    async def rest(self) -> str:
        async with asyncio.timeout(PATIENCE):
            return (await self.answer.content.read()).decode()


@asynccontextmanager
async def listening(
    door: Door, path: str, *, seen: str | None = None, subject: str | None = "olivia"
) -> AsyncIterator[Stream]:
    headers = {} if seen is None else {"Last-Event-ID": seen}
    async with door.call("GET", path, headers=headers, subject=subject) as answer:
        assert answer.status == 200, await answer.text()
        yield Stream(answer)


async def test_a_stream_says_what_it_is_and_when_to_come_again(door: Door) -> None:
    async with listening(door, "/v1/events") as stream:
        headers = stream.answer.headers
        assert headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Accel-Buffering"] == "no"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert await stream.answer.content.readline() == b"retry: 2000\n"


async def test_an_event_comes_with_its_id_its_type_and_its_body(door: Door) -> None:
    async with listening(door, "/v1/events") as stream:
        await stream.answer.content.readuntil(b"\n\n")
        await accepted(door)
        async with asyncio.timeout(PATIENCE):
            piece = await stream.answer.content.readuntil(b"\n\n")
    (event,) = door.feed.events
    assert piece == b"id: 1\nevent: upload.received\ndata: " + event.event.body() + b"\n\n"


async def test_an_upload_is_told_from_its_beginning_and_its_stream_ends_with_it(door: Door) -> None:
    upload = await accepted(door)
    step(door, upload, State.VALIDATED)
    async with listening(door, f"/v1/uploads/{upload}/events") as stream:
        assert await stream.ids(2) == ["0", "1"]
        step(door, upload, State.REJECTED, ended=True)
        assert await stream.ids(1) == ["2"]
        await stream.rest()
        assert stream.answer.content.at_eof()


async def test_an_upload_that_has_ended_is_told_again_and_then_never_more(door: Door) -> None:
    upload = await accepted(door)
    step(door, upload, State.REJECTED, ended=True)
    path = f"/v1/uploads/{upload}/events"
    async with listening(door, path) as stream:
        assert (await stream.rest()).count("\nevent: ") == 2
    async with listening(door, path, seen="0") as stream:
        assert "id: 1\n" in await stream.rest()
    for seen in ("1", "2", "9" * 18):
        async with door.call("GET", path, headers={"Last-Event-ID": seen}) as answer:
            assert (answer.status, await answer.read()) == (204, b"")


async def test_who_was_cut_goes_on_after_the_last_id(door: Door) -> None:
    upload = await accepted(door)
    for state in (State.VALIDATED, State.ENCRYPTED):
        step(door, upload, state)
    async with listening(door, f"/v1/uploads/{upload}/events", seen="1") as stream:
        assert await stream.ids(1) == ["2"]
    async with listening(door, "/v1/events", seen="1") as stream:
        assert await stream.ids(2) == ["2", "3"]
        step(door, upload, State.STORED)
        assert await stream.ids(1) == ["4"]


async def test_without_an_id_the_streams_of_organizations_begin_now(door: Door) -> None:
    upload = await accepted(door)
    async with listening(door, "/v1/events") as stream:
        await stream.answer.content.readuntil(b"\n\n")
        step(door, upload, State.VALIDATED)
        assert await stream.ids(1) == ["2"]


async def test_types_choose_what_comes(door: Door) -> None:
    async with listening(door, "/v1/events?types=upload.validated,upload.failed") as stream:
        await stream.answer.content.readuntil(b"\n\n")
        upload = await accepted(door)
        step(door, upload, State.VALIDATED)
        assert await stream.ids(1) == ["2"]


async def test_nothing_of_another_organization_comes(door: Door) -> None:
    theirs = await accepted(door, uuid7())
    async with door.call("GET", f"/v1/uploads/{theirs}/events") as answer:
        assert (answer.status, (await answer.json())["code"]) == (404, "target_not_found")
    async with door.call("GET", f"/v1/events?organization_id={uuid7()}") as answer:
        assert (answer.status, (await answer.json())["code"]) == (404, "target_not_found")
    async with listening(door, "/v1/events", seen="0") as stream:
        await accepted(door)
        assert await stream.ids(1) == ["2"]
    async with listening(door, "/v1/events?seconds=1", seen="0", subject="stranger") as stream:
        assert "event:" not in await stream.rest()


@pytest.mark.parametrize(
    "seen", ["-1", "x", "1.5", "+1", "1e9", "0x1", " 1 2", "\u0663".encode().decode("latin-1"), "9" * 19, "9" * 5_000]
)
@pytest.mark.parametrize("of", ["/v1/events", "/v1/uploads/{id}/events"])
async def test_a_last_id_that_is_none_of_ours_is_told(door: Door, of: str, seen: str) -> None:
    path = of.format(id=await accepted(door))
    async with door.call("GET", path, headers={"Last-Event-ID": seen}) as answer:
        problem = ProblemDocument.model_validate_json(await answer.text())
    assert (answer.status, problem.code, problem.errors[0].field) == (400, "invalid_header", "Last-Event-ID")
    assert "whole number" in (problem.errors[0].hint or "")


async def test_a_last_id_that_was_never_given_loses_nothing_that_comes(door: Door) -> None:
    """A number beyond the last, or of another tenant's event, is no reason to wait until that number comes."""
    upload = await accepted(door)
    for path in ("/v1/events", f"/v1/uploads/{upload}/events"):
        async with listening(door, path, seen="9" * 18) as stream:
            await stream.answer.content.readuntil(b"\n\n")
            step(door, upload, State.VALIDATED)
            assert len(await stream.ids(1)) == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("types=", "types"),
        ("types=upload.lost", "types"),
        ("types=upload.received,", "types"),
        ("types=" + "upload.received," * 500, "types"),
        ("last_event_id=x", "last_event_id"),
        ("last_event_id=-1", "last_event_id"),
        ("last_event_id=" + "9" * 19, "last_event_id"),
        ("last_event_id=1&last_event_id=2", "last_event_id"),
        ("seconds=0", "seconds"),
        ("seconds=x", "seconds"),
        ("organization_id=1", "organization_id"),
        ("ticket=a&ticket=b", "ticket"),
        ("sort=id", "sort"),
    ],
)
async def test_a_bad_query_is_told_by_parameter(door: Door, query: str, field: str) -> None:
    async with door.call("GET", f"/v1/events?{query}") as answer:
        assert (answer.status, [each["field"] for each in (await answer.json())["errors"]]) == (400, [field])


async def test_who_names_no_type_of_ours_is_told_all_of_them(door: Door) -> None:
    async with door.call("GET", "/v1/events?types=upload.lost") as answer:
        hint = (await answer.json())["errors"][0]["hint"]
    assert all(type_ in hint for type_ in EventType)


async def test_head_has_no_body_and_does_not_listen(door: Door) -> None:
    upload = await accepted(door)
    for path in ("/v1/events", f"/v1/uploads/{upload}/events"):
        async with door.call("HEAD", path) as answer:
            assert (answer.status, await answer.read()) == (200, b"")
            assert answer.content_type == "text/event-stream"
    assert len(door.hub) == 0


async def test_a_client_may_say_how_long_it_listens(door: Door) -> None:
    async with listening(door, "/v1/events?seconds=1") as stream:
        assert await stream.rest() == "retry: 2000\nid: 0\n\n"


async def test_who_is_cut_before_the_first_event_knows_where_to_go_on(door: Door) -> None:
    upload = await accepted(door)
    async with listening(door, "/v1/events?types=upload.failed") as stream:
        assert await stream.answer.content.readuntil(b"\n\n") == b"retry: 2000\nid: 1\n\n"
    step(door, upload, State.VALIDATED)
    async with listening(door, "/v1/events", seen="1") as stream:
        assert await stream.answer.content.readuntil(b"\n\n") == b"retry: 2000\nid: 1\n\n"
        assert await stream.ids(1) == ["2"]
    async with listening(door, f"/v1/uploads/{upload}/events") as stream:
        assert await stream.answer.content.readuntil(b"\n\n") == b"retry: 2000\n\n"


async def test_who_can_send_no_header_gives_the_last_id_in_the_query(door: Door) -> None:
    upload = await accepted(door)
    for state in (State.VALIDATED, State.ENCRYPTED):
        step(door, upload, state)
    shown = f"?ticket={await ticket(door)}&last_event_id=1"
    async with listening(door, f"/v1/events{shown}", subject=None) as stream:
        assert await stream.ids(2) == ["2", "3"]
    shown = f"?ticket={await ticket(door)}&last_event_id=1"
    async with listening(door, f"/v1/uploads/{upload}/events{shown}", subject=None) as stream:
        assert await stream.ids(1) == ["2"]
    async with listening(door, f"/v1/uploads/{upload}/events?last_event_id=") as stream:
        assert await stream.ids(1) == ["0"]


async def test_the_header_is_newer_than_the_query_that_an_event_source_keeps(door: Door) -> None:
    upload = await accepted(door)
    for state in (State.VALIDATED, State.ENCRYPTED):
        step(door, upload, state)
    async with listening(door, "/v1/events?last_event_id=0", seen="2") as stream:
        assert await stream.ids(1) == ["3"]
    async with listening(door, f"/v1/uploads/{upload}/events?last_event_id=0", seen="1") as stream:
        assert await stream.ids(1) == ["2"]


async def test_a_client_without_chunks_gets_the_same(door: Door) -> None:
    host, port = door.address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    request = f"GET /v1/events HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer {door.token()}\r\n\r\n"
    writer.write(request.encode())
    async with asyncio.timeout(PATIENCE):
        head = await reader.readuntil(b"\r\n\r\n")
        assert await reader.readuntil(b"\n\n") == b"retry: 2000\nid: 0\n\n"
        await accepted(door)
        assert (await reader.readuntil(b"\n\n")).startswith(b"id: 1\n")
    assert b"chunked" not in head
    writer.close()


async def ticket(door: Door, subject: str = "olivia") -> str:
    async with door.call("POST", "/v1/events/ticket", subject=subject) as answer:
        assert answer.status == 201
        document = await answer.json()
    assert set(document) == {"ticket", "expires_at"}
    text: str = document["ticket"]
    return text


async def test_a_ticket_opens_one_stream_and_no_second(door: Door, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    upload = await accepted(door)
    for path in ("/v1/events", f"/v1/uploads/{upload}/events"):
        shown = f"{path}?ticket={await ticket(door)}"
        async with listening(door, shown, subject=None) as stream:
            assert await stream.answer.content.readline() == b"retry: 2000\n"
        async with door.call("GET", shown, subject=None) as answer:
            problem = ProblemDocument.model_validate_json(await answer.text())
            assert (answer.status, problem.code) == (401, "unauthorized")
            assert "ticket" in (problem.errors[0].hint or "")
            assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
        assert shown.rpartition("=")[2] not in caplog.text


async def test_a_ticket_is_for_streams_only_and_shows_no_more_than_its_owner_may_see(door: Door) -> None:
    upload = await accepted(door)
    async with door.call("GET", f"/v1/uploads/{upload}?ticket={await ticket(door)}", subject=None) as answer:
        assert answer.status == 401
    path = f"/v1/uploads/{upload}/events?ticket={await ticket(door, 'stranger')}"
    async with door.call("GET", path, subject=None) as answer:
        assert answer.status == 404


@pytest.mark.parametrize("shown", ["", "x", "A" * 43, "\u00e9" * 43, "A" * 5_000])
async def test_what_is_no_ticket_is_401(door: Door, shown: str) -> None:
    async with door.call("GET", "/v1/events", params={"ticket": shown}, subject=None) as answer:
        assert (answer.status, (await answer.json())["code"]) == (401, "unauthorized")


async def test_where_there_is_a_header_it_counts_and_the_ticket_stays_good(door: Door) -> None:
    shown = f"/v1/events?ticket={await ticket(door)}"
    async with door.call("GET", shown, subject=None, headers={"Authorization": "Bearer x.y.z"}) as answer:
        assert answer.status == 401
    async with listening(door, shown, subject=None):
        pass


async def test_a_client_that_hangs_up_is_forgotten_and_not_only_at_the_next_heartbeat() -> None:
    async with open_door(beat=3_600) as opened:
        async with listening(opened, "/v1/events") as stream:
            await stream.answer.content.readuntil(b"\n\n")
            assert len(opened.hub) == 1
            stream.answer.close()
        await until(opened, lambda: len(opened.hub) == 0)


async def until(door: Door, holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not holds():
            async with door.session.get(door.address + "/livez"):
                pass


async def test_heartbeats_come_and_who_reads_nothing_is_cut() -> None:
    """The client that does not read is cut; the one that does goes on."""
    async with open_door(beat=0.2) as quick:
        host, port = quick.address.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1_024)
        writer.write(f"GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {quick.token()}\r\n\r\n".encode())
        async with listening(quick, "/v1/events") as stream:
            async with asyncio.timeout(PATIENCE):
                await stream.answer.content.readuntil(b":\n\n")
            await until(quick, lambda: len(quick.hub) == 2)
            upload, place = uuid7(), 0
            async with asyncio.timeout(PATIENCE):
                while len(quick.hub) == 2:
                    quick.feed.events = [
                        told(place + each, quick.organization, upload, place + each) for each in range(1, 2_001)
                    ]
                    place += 2_000
                    while int((await stream.ids(1))[0]) < place:
                        pass
        writer.close()
        del reader


async def test_stopping_ends_every_stream_without_waiting_for_any() -> None:
    async with asyncio.timeout(25), aiohttp.ClientSession() as session:  # requests under way get 30 seconds
        async with open_door() as opened:
            headers = {"Authorization": f"Bearer {opened.token()}"}
            answers = [
                await session.get(f"{opened.address}/v1/events{query}", headers=headers)
                for query in ("", "?seconds=600", "?types=upload.failed")
            ]
            for answer in answers:
                await answer.content.readuntil(b"\n\n")
        for answer in answers:
            assert await answer.content.read() == b""


async def test_a_database_that_is_away_is_503_before_the_stream_begins(door: Door) -> None:
    door.feed.away = True
    async with door.call("GET", "/v1/events") as answer:
        assert (answer.status, (await answer.json())["code"]) == (503, "database_unavailable")
        assert answer.headers["Retry-After"]
