"""One channel that delivers, and what it delivered that has not been settled. Tags mean something on it alone."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import NamedTuple

from aiormq.abc import AbstractChannel
from aiormq.exceptions import AMQPError

from certpipe.broker.connection import when_closed
from certpipe.broker.supervision import first, part
from certpipe.core.ports.broker import Settlement


class Ending(NamedTuple):
    """One frame that settles `tag`, and with `multiple` all before it that are outstanding."""

    tag: int
    multiple: bool


class Outstanding:
    """Tags in the order of delivery, each of which can be settled once."""

    def __init__(self) -> None:
        self._tags: dict[int, None] = {}

    def __len__(self) -> int:
        return len(self._tags)

    def __contains__(self, tag: int) -> bool:
        return tag in self._tags

    def add(self, tag: int) -> None:
        """A tag was delivered. Tags only grow."""
        self._tags[tag] = None

    def settle(self, tags: Iterable[int], *, ranges: bool) -> Sequence[Ending]:
        """Forget these tags; answers with the frames that settle them. Tags that are not outstanding are no matter.

        With `ranges`, a gap-free run from the oldest outstanding tag on is one frame: it must not take a tag with it
        that somebody still works on.
        """
        chosen = {tag for tag in tags if tag in self._tags}
        run = list(takewhile(chosen.__contains__, self._tags)) if ranges else []
        for tag in chosen:
            del self._tags[tag]
        single = [Ending(tag, multiple=False) for tag in sorted(chosen.difference(run))]
        return [Ending(run[-1], multiple=len(run) > 1), *single] if run else single


class Lane:
    """A consumer's channel. `gone`: it is closed or its consumer was cancelled. `empty`: everything is settled."""

    def __init__(self, channel: AbstractChannel, *, on_gone: Callable[[], object]) -> None:
        self.channel = channel
        self.outstanding = Outstanding()
        self.delivered = 0
        self.empty = asyncio.Event()
        self.empty.set()
        self._order = asyncio.Lock()
        self._sending: set[asyncio.Task[None]] = set()
        self.gone = when_closed(channel, on_gone)
        self._on_gone = on_gone
        channel.on_consumer_cancel_callbacks.add(self._cancelled)

    def take(self, tag: int) -> None:
        """A message was delivered under this tag."""
        self.delivered += 1
        self.outstanding.add(tag)
        self.empty.clear()

    async def settle(self, tags: Collection[int], settlement: Settlement) -> None:
        """Settle these, once, even if the caller is cancelled meanwhile. Nothing happens when the channel is gone."""
        endings = self.outstanding.settle(tags, ranges=settlement is not Settlement.DEAD_LETTER)
        if not len(self.outstanding):
            self.empty.set()
        if not endings or self.gone.is_set():
            return
        # A task that nobody cancels, and that is only waited for: a settlement that was cut in the middle would be
        # repeated, and the second one closes the channel.
        task = asyncio.create_task(self._send(endings, settlement))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        await asyncio.wait({task})

    async def settled(self, ended: asyncio.Event) -> None:
        """Wait until everything is settled, the channel is gone, or `ended`."""
        await first(self.empty, self.gone, ended)

    async def close(self) -> None:
        """Write what was settled, then close: RabbitMQ delivers the rest again."""
        if self._sending and not self.gone.is_set():
            await first(self.gone, *(self._done(task) for task in self._sending))
        self.gone.set()
        for task in list(self._sending):
            task.cancel()
        await part(self.channel.close())

    async def _send(self, endings: Sequence[Ending], settlement: Settlement) -> None:
        # In order: a range that overtook an earlier single frame would take its tag along.
        async with self._order:
            with suppress(AMQPError, OSError):
                for tag, multiple in endings:
                    match settlement:
                        case Settlement.ACK:
                            await self.channel.basic_ack(tag, multiple=multiple, wait=False)
                        case Settlement.REQUEUE:
                            await self.channel.basic_nack(tag, multiple=multiple, requeue=True, wait=False)
                        case Settlement.DEAD_LETTER:
                            await self.channel.basic_reject(tag, requeue=False, wait=False)

    def _cancelled(self, _: object) -> None:
        self._on_gone()
        self.gone.set()

    @staticmethod
    def _done(task: asyncio.Task[None]) -> asyncio.Event:
        event = asyncio.Event()
        task.add_done_callback(lambda _: event.set())
        return event
