"""The hub of the streams: everybody gets what he wants, in order, once, whatever happens meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from certpipe.core.ids import uuid7
from certpipe.core.ports.events import Told
from certpipe.ingress import streams
from certpipe.ingress.listening import Listener, Wanted
from certpipe.ingress.streams import HEARTBEAT, MOST_WAITING, PAGE, RECENT, Hub
from schemas.events import EventType
from schemas.status import State
from tests.fakes import Bell, HandClock, MemoryStore
from tests.stream_fakes import MemoryFeed, MemoryLine, told
from tests.unit.ingress.test_waiting import settle


class Scene:
    """A running hub over a feed with two organizations, under a clock that stands."""

    def __init__(self) -> None:
        self.feed, self.store, self.clock, self.bell = MemoryFeed(), MemoryStore(), HandClock(), Bell()
        self.hub = Hub(self.feed, self.store, self.clock, self.bell)
        self.ours, self.theirs, self.upload = uuid7(), uuid7(), uuid7()
        self.tasks: list[asyncio.Task[None]] = []

    def tell(self, *positions: int, of: UUID | None = None, kind: str = EventType.VALIDATED) -> None:
        self.feed.events += [told(each, of or self.ours, uuid7(), kind=kind) for each in positions]

    def step(self, position: int, sequence: int, *, ended: bool = False) -> Told:
        """The next event of the one upload."""
        event = told(position, self.ours, self.upload, sequence, ended=ended)
        self.feed.events.append(event)
        return event

    async def listen(self, *, after: int, types: Sequence[EventType] | None = None) -> "Client":
        return await self._follow(Wanted(frozenset({self.ours}), None if types is None else frozenset(types)), after)

    async def follow(self, *, after: int = -1) -> "Client":
        return await self._follow(Wanted(frozenset({self.upload}), of_upload=True), after)

    async def _follow(self, wanted: Wanted, after: int) -> "Client":
        client = Client(self, wanted, after)
        self.tasks.append(asyncio.create_task(self.hub.follow(client.listener)))
        await settle()
        return client

    async def look(self) -> None:
        """Let the hub look at what is new."""
        await settle()
        self.bell.ring()
        self.clock.tick_shorter_than(2)
        await settle()
        self.clock.tick_shorter_than(2)
        await settle()

    async def beat(self) -> None:
        """Let a heartbeat go by."""
        await settle()
        self.clock.tick_shorter_than(20)
        await settle()


class Client:
    """One who listens, and the line to it."""

    def __init__(self, scene: Scene, wanted: Wanted, after: int) -> None:
        self.line = MemoryLine()
        self.listener = Listener(wanted, self.line, after, after)
        self._scene = scene

    @property
    def ids(self) -> list[int]:
        return self.line.ids

    @property
    def over(self) -> bool:
        return self.listener.over


@asynccontextmanager
async def running() -> AsyncIterator[Scene]:
    scene = Scene()
    task = asyncio.create_task(scene.hub.run())
    yield scene
    scene.hub.close()
    await task
    await asyncio.gather(*scene.tasks)


async def test_nobody_listens_nothing_is_asked() -> None:
    async with running() as scene:
        await scene.look()
        await scene.beat()
        assert scene.feed.asked == []


async def test_who_comes_without_a_number_hears_what_is_told_from_now_on() -> None:
    async with running() as scene:
        scene.tell(1, 2)
        client = await scene.listen(after=await scene.hub.start())
        await scene.look()
        scene.tell(3)
        await scene.look()
        assert client.ids == [3]


async def test_one_question_serves_all_who_listen_and_they_share_its_bytes() -> None:
    async with running() as scene:
        clients = [await scene.listen(after=0) for _ in range(3)]
        await scene.look()
        asked = scene.feed.asked.count("after")
        scene.tell(1)
        await scene.look()
        assert scene.feed.asked.count("after") - asked <= 2
        assert "of_organizations" not in scene.feed.asked
        first, *others = [client.line.frames[-1] for client in clients]
        assert all(frame.text is first.text and frame.chunk is first.chunk for frame in others)


async def test_an_event_is_told_with_its_place_its_type_and_its_body() -> None:
    async with running() as scene:
        client = await scene.listen(after=0)
        scene.tell(7)
        await scene.look()
        body = scene.feed.events[0].event.body()
        assert client.line.read == b"id: 7\nevent: upload.validated\ndata: " + body + b"\n\n"
        assert client.line.frames[-1].chunk == b"%x\r\n%b\r\n" % (len(client.line.read), client.line.read)


async def test_a_type_of_a_newer_version_is_told_in_its_turn_to_those_who_want_every_type() -> None:
    async with running() as scene:
        every, some = await scene.listen(after=0), await scene.listen(after=0, types=[EventType.VALIDATED])
        scene.tell(7)
        scene.tell(8, kind="upload.weighed")
        scene.tell(9)
        await scene.look()
        assert (every.ids, some.ids) == ([7, 8, 9], [7, 9])
        assert b"event: upload.weighed\ndata: " + scene.feed.events[1].event.body() in every.line.read


async def test_nobody_hears_of_another_organization() -> None:
    async with running() as scene:
        client = await scene.listen(after=0)
        scene.tell(1, of=scene.theirs)
        scene.tell(2)
        scene.tell(3, of=scene.theirs)
        await scene.look()
        assert client.ids == [2]


async def test_who_wants_some_types_gets_no_others_missed_or_new() -> None:
    async with running() as scene:
        scene.tell(1, kind=EventType.RECEIVED)
        scene.tell(2, kind=EventType.STORED)
        await scene.hub.start()
        client = await scene.listen(after=0, types=[EventType.STORED])
        await scene.look()
        scene.tell(3, kind=EventType.RECEIVED)
        scene.tell(4, kind=EventType.STORED)
        await scene.look()
        assert client.ids == [2, 4]


async def test_who_listens_for_several_organizations_gets_them_in_one_order() -> None:
    async with running() as scene:
        wanted = Wanted(frozenset({scene.ours, scene.theirs}))
        scene.tell(1, 4, 6)
        scene.tell(2, 3, 5, of=scene.theirs)
        client = await scene._follow(wanted, 1)
        scene.tell(7, 9)
        scene.tell(8, of=scene.theirs)
        await scene.look()
        assert client.ids == [2, 3, 4, 5, 6, 7, 8, 9]


async def test_who_comes_back_is_given_all_it_missed_in_pages() -> None:
    async with running() as scene:
        scene.tell(*range(1, 3 * PAGE + 10))
        client = await scene.listen(after=5)
        await scene.look()
        assert client.ids == list(range(6, 3 * PAGE + 10))
        assert scene.feed.asked.count("of_organizations") == 4


async def test_what_is_told_while_the_database_is_read_comes_once() -> None:
    """At every moment of catching up: the event is in no answer, in the answer, and told to all meanwhile."""
    for moment in range(1, 6):
        async with running() as scene:
            other = await scene.listen(after=0)
            scene.tell(*range(1, PAGE + 6))
            questions: list[str] = []

            def during(
                question: str, *, scene: Scene = scene, questions: list[str] = questions, moment: int = moment
            ) -> None:
                questions.append(question)
                if len(questions) == moment:
                    scene.tell(PAGE + 6, PAGE + 7)
                    scene.bell.ring()
                    scene.clock.tick_shorter_than(2)

            scene.feed.during = during
            client = await scene.listen(after=2)
            for _ in range(4):
                await scene.look()
            assert len(questions) > moment
            assert client.ids == list(range(3, PAGE + 8)), moment
            assert other.ids == list(range(1, PAGE + 8)), moment


async def test_what_the_hub_told_between_the_reading_and_the_listening_is_not_lost() -> None:
    async with running() as scene:
        await scene.listen(after=0)
        scene.tell(1)
        await scene.look()
        reading = asyncio.Event()
        read_on = asyncio.Event()
        real = scene.feed.of_organizations

        async def slowly(organization_ids: Sequence[UUID], after: int, limit: int) -> Sequence[Told]:
            found = await real(organization_ids, after, limit)
            reading.set()
            await read_on.wait()
            return found

        scene.feed.of_organizations = slowly  # type: ignore[method-assign]
        scene.hub._floor = 1
        client = await scene.listen(after=0)
        await reading.wait()
        scene.tell(2, 3)
        await scene.look()
        assert client.ids == []
        read_on.set()
        await settle()
        scene.tell(4)
        await scene.look()
        assert client.ids == [1, 2, 3, 4]


async def test_who_comes_back_soon_is_served_from_memory() -> None:
    async with running() as scene:
        await scene.listen(after=0)
        scene.tell(*range(1, 10))
        await scene.look()
        client = await scene.listen(after=4)
        assert client.ids == [5, 6, 7, 8, 9]
        assert "of_organizations" not in scene.feed.asked


async def test_who_comes_back_after_more_than_is_remembered_is_served_from_the_database() -> None:
    async with running() as scene:
        await scene.listen(after=0)
        scene.tell(*range(1, RECENT + 10))
        await scene.look()
        client = await scene.listen(after=3)
        assert client.ids == list(range(4, RECENT + 10))
        assert "of_organizations" in scene.feed.asked


async def test_a_hub_at_rest_starts_from_what_is_last_then() -> None:
    async with running() as scene:
        client = await scene.listen(after=0)
        scene.hub.leave(client.listener)
        await scene.look()
        scene.tell(*range(1, 900))
        await scene.look()
        asked = scene.feed.asked.count("after")
        assert await scene.hub.start() == 899
        later = await scene.listen(after=899)
        scene.tell(900)
        await scene.look()
        assert later.ids == [900]
        assert scene.feed.asked.count("after") - asked <= 3


async def test_an_upload_is_told_from_its_beginning_to_its_end() -> None:
    async with running() as scene:
        scene.step(1, 0)
        scene.step(0, 1)  # has no place yet
        client = await scene.follow()
        assert client.ids == [0, 1]
        scene.feed.events[1] = told(2, scene.ours, scene.upload, 1)
        scene.step(3, 2)
        await scene.look()
        assert not client.over
        scene.step(4, 3, ended=True)
        await scene.look()
        assert client.ids == [0, 1, 2, 3]
        assert client.line.closed


async def test_an_upload_that_ends_while_its_events_are_read_ends_the_stream() -> None:
    async with running() as scene:
        scene.step(1, 0)
        scene.step(2, 1, ended=True)
        client = await scene.follow(after=0)
        assert (client.ids, client.over) == ([1], True)


async def test_events_of_an_upload_that_got_their_places_in_another_order_come_in_its_own() -> None:
    async with running() as scene:
        client = await scene.follow()
        scene.step(1, 2)
        scene.step(0, 0)  # gets its place later, and so does the next
        scene.step(0, 1)
        await scene.look()
        assert client.ids == [0, 1, 2]


async def test_an_upload_is_told_of_at_heartbeats_where_nothing_gets_a_place() -> None:
    async with running() as scene:
        client = await scene.follow()
        scene.step(0, 0)
        scene.store.states[scene.upload] = (State.RECEIVED, 0)
        await scene.look()
        assert client.ids == []
        await scene.beat()
        assert client.ids == [0]
        scene.step(0, 1, ended=True)
        scene.store.states[scene.upload] = (State.REJECTED, 1)
        await scene.beat()
        assert (client.ids, client.over) == ([0, 1], True)


async def test_an_upload_that_ended_without_a_word_ends_its_stream_at_a_heartbeat() -> None:
    async with running() as scene:
        scene.step(1, 0)
        client = await scene.follow()
        scene.store.states[scene.upload] = (State.FAILED, 3)
        await scene.beat()
        assert (client.ids, client.over) == ([0], True)


async def test_everybody_gets_a_heartbeat_and_no_wait_of_its_own() -> None:
    async with running() as scene:
        clients = [await scene.listen(after=0) for _ in range(2 * streams.SLICE + 5)]
        waits = len(scene.clock.waits)
        await scene.beat()
        assert {client.line.read for client in clients} == {HEARTBEAT.text}
        assert len(scene.clock.waits) <= waits + 3


async def test_who_takes_nothing_for_a_whole_heartbeat_is_cut() -> None:
    async with running() as scene:
        client, other = await scene.listen(after=0), await scene.listen(after=0)
        client.line.deaf = True
        scene.tell(1)
        await scene.look()
        await scene.beat()
        assert not client.over
        await scene.beat()
        assert client.over
        assert client.line.gone
        assert not other.over


async def test_who_is_behind_but_takes_what_is_older_than_a_heartbeat_is_not_cut() -> None:
    async with running() as scene:
        client = await scene.listen(after=0)
        client.line.deaf = True
        for position in range(1, 6):
            scene.tell(position)
            await scene.look()
            await scene.beat()
            assert client.line.waiting > 0
            client.line.take(client.line.waiting)
        assert not client.over


async def test_who_is_so_far_behind_that_it_costs_memory_is_cut_and_resumes() -> None:
    async with running() as scene:
        client, other = await scene.listen(after=0), await scene.listen(after=0)
        client.line.deaf = True
        position = 0
        while not client.over:
            assert client.line.waiting <= MOST_WAITING + 100_000
            scene.tell(*range(position + 1, position + 50))
            position += 49
            await scene.look()
        assert position > 50
        back = await scene.listen(after=0)
        await scene.look()
        assert back.ids == other.ids == list(range(1, position + 1))


async def test_who_has_hung_up_is_let_go_at_a_heartbeat() -> None:
    async with running() as scene:
        client = await scene.listen(after=0)
        client.line.gone = True
        await scene.beat()
        assert client.over


async def test_a_stream_lasts_an_hour_at_most() -> None:
    async with running() as scene:
        client = await scene.listen(after=0)
        for _ in range(239):
            await scene.beat()
        assert not client.over
        await scene.beat()
        assert client.over
        assert client.line.closed
        assert not client.line.gone


async def test_a_database_that_is_away_ends_no_stream_and_nothing_is_lost() -> None:
    async with running() as scene:
        client, upload = await scene.listen(after=0), await scene.follow()
        scene.feed.away = scene.store.away = True
        scene.tell(1)
        scene.step(2, 0)
        await scene.look()
        await scene.beat()
        assert not client.over
        scene.feed.away = scene.store.away = False
        await scene.look()
        assert client.ids == [1, 2]
        assert upload.ids == [0]


async def test_closing_ends_all_streams_and_lets_nobody_in() -> None:
    async with running() as scene:
        clients = [await scene.listen(after=0), await scene.follow()]
        clients[0].line.deaf = True
        scene.tell(1)
        await scene.look()
        scene.hub.close()
        assert all(client.over for client in clients)
        assert clients[0].line.gone  # it was behind, and nobody waits for it
        assert not clients[1].line.gone
        assert (await scene.listen(after=0)).over


async def test_who_leaves_leaves_nothing_behind() -> None:
    async with running() as scene:
        clients = [await scene.listen(after=0), await scene.follow(), await scene.follow()]
        for client in clients:
            scene.hub.leave(client.listener)
        assert len(scene.hub) == 0
        assert scene.hub._following == {}


async def test_a_client_may_have_its_stream_ended_after_some_seconds() -> None:
    async with running() as scene:
        client = await scene.listen(after=0)
        waiting = asyncio.create_task(scene.hub.end_after(client.listener, 7))
        await settle()
        assert not client.over
        scene.clock.tick_shorter_than(8)
        await settle()
        assert client.line.closed
        other = await scene.listen(after=0)
        another = asyncio.create_task(scene.hub.end_after(other.listener, 7))
        await settle()
        scene.hub.cut(other.listener)
        await asyncio.gather(waiting, another)  # neither waits for its seconds


async def test_a_defect_in_one_look_leaves_the_others() -> None:
    async with running() as scene:
        client = await scene.listen(after=0)
        broken = iter([True])

        def during(_: str) -> None:
            if next(broken, False):
                raise ValueError("a defect")

        scene.feed.during = during
        scene.tell(1)
        await scene.look()
        await scene.look()
        assert client.ids == [1]


async def test_who_does_not_take_the_end_of_its_stream_is_cut_after_a_while() -> None:
    async with running() as scene:
        client, quick = await scene.follow(), await scene.follow()
        client.line.deaf = True
        scene.step(1, 0, ended=True)
        await scene.look()
        await scene.beat()
        assert client.line.closed
        assert not client.line.gone
        await scene.beat()
        assert client.line.gone
        assert not quick.line.gone
