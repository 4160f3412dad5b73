"""One hub for everybody who listens: it reads the feed once for all of them, and keeps no task or timer for any."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Iterable
from uuid import UUID

from certpipe.core.clock import Clock
from certpipe.core.errors import Unavailable, place
from certpipe.core.ports.doors import Hints, Statuses
from certpipe.core.ports.events import Feed, Told
from certpipe.ingress.listening import Batch, Frame, Line, Listener, Page

LOG = logging.getLogger(__name__)
HEARTBEAT = Frame.of(b":\n\n")
MOST_WAITING = 64 * 1024
MOST_SECONDS = 3_600
PAGE = 100
SLICE = 100
RECENT = 500
UPLOADS_AT_ONCE = 1_000


class Hub:
    """Hands each event of the feed to those who want it, while there is anybody.

    Who comes is given what it missed from the database, then what the hub told since it began to read that, and listens
    from there on: nothing is left out and nothing comes twice.

    Attributes:
        feed: is asked for what is new, once for everybody.
        statuses: is asked at each heartbeat how far the uploads are, for no event has a place while no relay runs.
        clock: waits.
        hints: where there are any; without them, the looks are regular.
        least_pause: seconds between two looks when hints come fast.
        most_pause: seconds between two looks when no hint comes.
        beat: seconds between two heartbeats. Who leaves something untaken for that long is cut.
        most_seconds: so long a stream lasts; who comes back has to prove again who he is.
    """

    def __init__(
        self,
        feed: Feed,
        statuses: Statuses,
        clock: Clock,
        hints: Hints | None = None,
        *,
        least_pause: float = 0.01,
        most_pause: float = 1.0,
        beat: float = 15.0,
        most_seconds: float = MOST_SECONDS,
    ) -> None:
        self._feed, self._statuses, self._clock, self._hints = feed, statuses, clock, hints
        self._least_pause, self._most_pause = least_pause, most_pause
        self._beat, self._most_beats = beat, most_seconds / beat
        self._here: set[Listener] = set()
        self._following: dict[UUID, set[Listener]] = {}
        self._recent: deque[Told] = deque(maxlen=RECENT)
        self._floor, self._place = 0, -1
        self._asked: set[UUID] = set()
        self._parting: list[Line] = []
        self._overdue: list[Line] = []
        self._hinted = asyncio.Event()
        self._closing = asyncio.Event()

    def __len__(self) -> int:
        return len(self._here)

    async def start(self) -> int:
        """The place up to which the hub has told everything; the last one, if it was at rest. Raises `Unavailable`."""
        if self._place < 0:
            last = await self._feed.last()
            if self._place < 0:
                self._place = self._floor = last
        return self._place

    async def follow(self, listener: Listener) -> None:
        """Give it what it missed, and let it listen until it leaves. Raises `Unavailable`."""
        self._here.add(listener)
        self._hinted.set()
        if self._closing.is_set():
            self.end(listener)
        while not listener.over:
            told = await self.start()
            if not listener.wanted.of_upload and self._joined(listener):
                return
            await self._catch_up(listener, told)
            if self._joined(listener):
                return

    def leave(self, listener: Listener) -> None:
        """Forget it: it listens no more."""
        listener.over = True
        if listener.woken is not None:
            listener.woken.set()
        self._here.discard(listener)
        for key in listener.wanted.keys:
            others = self._following.get(key, set())
            others.discard(listener)
            if not others:
                self._following.pop(key, None)

    def end(self, listener: Listener) -> None:
        """Its stream is over, in good order."""
        if not listener.over:
            self.leave(listener)
            listener.line.close()
            if listener.line.waiting:
                self._parting.append(listener.line)

    def cut(self, listener: Listener) -> None:
        """It is lost, and what it has not taken is forgotten. It comes back with the number of the last that it got."""
        self.leave(listener)
        listener.line.cut()

    async def end_after(self, listener: Listener, seconds: float) -> None:
        """End its stream then, unless it is over before."""
        listener.woken = asyncio.Event()
        if not listener.over:
            await self._clock.wait(seconds, until=listener.woken)
        self.end(listener)

    async def run(self) -> None:
        """Tell what is new and let the hearts beat, until the hub closes."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._beats())
            if self._hints is not None:
                tasks.create_task(self._listen(self._hints))
            while not self._closing.is_set():
                self._hinted.clear()
                if self._here:
                    await self._tried(self._look())
                    await self._clock.wait(self._least_pause, until=self._closing)
                else:  # who comes next starts from what is last then
                    self._place = -1
                    self._recent.clear()
                await self._clock.wait(self._most_pause, until=self._hinted)

    def close(self) -> None:
        """End every stream, and `run`. Who is behind is cut, for nobody waits for it any more."""
        self._closing.set()
        self._hinted.set()
        for listener in tuple(self._here):
            if listener.line.waiting:
                self.cut(listener)
            else:
                self.end(listener)

    async def _listen(self, hints: Hints) -> None:
        try:
            await hints.listen(self._hinted.set, self._closing)
        except Exception as error:  # noqa: BLE001 - without hints the looks are regular, and nobody listens in vain
            LOG.error("no more hints: %s", place(error))

    async def _tried(self, work: Awaitable[None]) -> None:
        try:
            await work
        except Unavailable:
            LOG.warning("the database is away; %d clients go on listening", len(self._here))
        except Exception as error:  # noqa: BLE001 - a defect must not leave all others listening in vain
            LOG.error("telling %d clients: %s", len(self._here), place(error))

    async def _look(self) -> None:
        """Tell all that is new."""
        more = True
        while more:
            events = await self._feed.after(await self.start(), PAGE)
            for told in events:
                self._remember(told)
            await self._tell(Page(events))
            more = len(events) == PAGE
        for upload_id in tuple(self._asked):
            await self._ask(upload_id)
            self._asked.discard(upload_id)

    def _remember(self, told: Told) -> None:
        if len(self._recent) == RECENT:
            self._floor = self._recent[0].position
        self._recent.append(told)
        self._place = told.position

    async def _tell(self, page: Page) -> None:
        async for listener in _in_slices({each for key in page.keys for each in self._following.get(key, ())}):
            self._pass_on(listener, page)

    def _pass_on(self, listener: Listener, page: Page) -> None:
        """What `page` has for one who listens. Who is so far behind that it costs memory is cut."""
        batch = page.batch(listener.wanted, listener.after)
        if listener.wanted.of_upload and not batch.follows(listener.after):
            self._asked |= listener.wanted.keys  # they got their places in another order than the upload went
        elif batch.numbers and listener.line.waiting > MOST_WAITING:
            self.cut(listener)
        else:
            self._give(listener, batch)

    def _give(self, listener: Listener, batch: Batch) -> None:
        """The next that it wants. The last one of an upload ends the stream."""
        if not listener.over:
            listener.give(batch)
            if batch.ended and listener.wanted.of_upload:
                self.end(listener)

    def _joined(self, listener: Listener) -> bool:
        """Give it what was told since its `place` and let it listen, unless that is longer ago than we remember."""
        if self._place < 0 or listener.place < self._floor:
            return False
        if listener.place < self._place:
            self._pass_on(listener, Page(told for told in self._recent if told.position > listener.place))
        for key in listener.wanted.keys if not listener.over else ():
            self._following.setdefault(key, set()).add(listener)
        return True

    async def _catch_up(self, listener: Listener, told: int) -> None:
        """Give it what the database has, a page of it; `told` is what the hub had told before."""
        wanted, after = listener.wanted, listener.after
        if wanted.of_upload:
            (upload_id,) = wanted.keys
            events = await self._feed.of_upload(upload_id, after)
            listener.place = told
        else:
            events = await self._feed.of_organizations(tuple(wanted.keys), listener.place, PAGE)
            last = events[-1].position if events else listener.place
            listener.place = last if len(events) == PAGE else max(last, told)
        self._give(listener, Page(events).batch(wanted, after))
        await listener.line.drained()

    async def _ask(self, upload_id: UUID) -> None:
        """Tell who listens for an upload what the database has of it."""
        following = self._following.get(upload_id)
        if following:
            page = Page(await self._feed.of_upload(upload_id, min(each.after for each in following)))
            for listener in tuple(following):
                self._give(listener, page.batch(listener.wanted, listener.after))

    async def _beats(self) -> None:
        while not await self._clock.wait(self._beat, until=self._closing):
            async for listener in _in_slices(self._here):
                self._beat_of(listener)
            for line in self._overdue:  # a closed connection waits for its client, for ever if need be
                line.cut()
            self._overdue, self._parting = self._parting, []
            await self._tried(self._look_after_uploads())

    def _beat_of(self, listener: Listener) -> None:
        listener.beats += 1
        if listener.line.gone or listener.is_stuck():
            self.cut(listener)
        elif listener.beats >= self._most_beats:
            self.end(listener)
        elif not listener.line.waiting:
            listener.send(HEARTBEAT)

    async def _look_after_uploads(self) -> None:
        """Tell what has no place, and end what was ended without a word."""
        ids = [key for key, each in self._following.items() if any(one.wanted.of_upload for one in each)]
        while ids:
            some, ids = ids[:UPLOADS_AT_ONCE], ids[UPLOADS_AT_ONCE:]
            for upload_id, progress in (await self._statuses.sequences(some)).items():
                following = tuple(self._following.get(upload_id, ()))
                if progress.ended or any(each.after < progress.sequence for each in following):
                    await self._ask(upload_id)
                for listener in following if progress.ended else ():
                    self.end(listener)


async def _in_slices(listeners: Iterable[Listener]) -> AsyncIterator[Listener]:
    """Those of them that listen still; everything else in the process gets its turn after each `SLICE`."""
    for number, listener in enumerate(tuple(listeners), 1):
        if not listener.over:
            yield listener
        if number % SLICE == 0:
            loop = asyncio.get_running_loop()
            turn = loop.create_future()
            loop.call_soon(turn.set_result, None)
            await turn
