"""Publishing what waits for a stage, as many uploads to a message as there are."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from certpipe.core.errors import Unavailable, place
from certpipe.core.ports.broker import Message, Publisher
from certpipe.core.ports.runtime import Backlog
from schemas.messages import MOST_UPLOADS, StageMessage, UploadRef
from schemas.status import Stage

log: Final = logging.getLogger(__name__)


def messages(exchange: str, stage: Stage, refs: Sequence[UploadRef], *, suspect: bool = False) -> list[Message]:
    """The messages that name these uploads, at most as many in each as it may hold."""
    named = [
        StageMessage(stage=stage, uploads=tuple(refs[i : i + MOST_UPLOADS]), suspect=suspect)
        for i in range(0, len(refs), MOST_UPLOADS)
    ]
    return [Message(exchange, stage, each.model_dump_json(exclude_defaults=True).encode()) for each in named]


class CoalescingDispatcher:
    """Publishes in rounds: what comes while one round is under way goes out, together, with the next.

    An idle system sends ones at once, a busy one sends sixty-fours. What could not be published is left to the sweeper.
    """

    def __init__(self, *, publisher: Publisher, backlog: Backlog, exchange: str) -> None:
        self._publisher, self._backlog, self._exchange = publisher, backlog, exchange
        self._waiting: dict[Stage, list[UploadRef]] = {}
        self._round: asyncio.Future[None] | None = None
        self._wake = asyncio.Event()

    def dispatch(self, stage: Stage, refs: Sequence[UploadRef]) -> asyncio.Future[None]:
        if self._round is None:
            self._round = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(stage, []).extend(refs)
        self._wake.set()
        return self._round

    async def run(self, stopping: asyncio.Event) -> None:
        """Publish rounds until `stopping` is set and nothing waits."""
        stopped = asyncio.ensure_future(stopping.wait())
        stopped.add_done_callback(lambda _: self._wake.set())
        try:
            while not (stopping.is_set() and self._round is None):
                await self._wake.wait()
                self._wake.clear()
                await self._publish_round()
        finally:
            stopped.cancel()

    async def _publish_round(self) -> None:
        waiting, self._waiting = self._waiting, {}
        done, self._round = self._round, None
        if done is None:
            return
        try:
            await self._publisher.publish(
                [message for stage, refs in waiting.items() for message in messages(self._exchange, stage, refs)]
            )
            await self._backlog.dispatched([ref for refs in waiting.values() for ref in refs])
        except Unavailable as away:
            count = sum(len(refs) for refs in waiting.values())
            log.warning("left to the sweeper", extra={"uploads": count, "codes": str(away)})
        except Exception as defect:  # noqa: BLE001 - all stages wait for these rounds: none may be the last
            log.error("defect in publishing; left to the sweeper", extra={"defect": place(defect)})
        finally:
            if not done.done():
                done.set_result(None)
