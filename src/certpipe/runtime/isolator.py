"""Publishes suspects, each in a message of its own: what a broker that forgets, or gave up, would not do."""

import asyncio
import logging
from typing import Final

from certpipe.core.clock import Clock
from certpipe.core.errors import Unavailable
from certpipe.core.ports.broker import Publisher
from certpipe.core.ports.runtime import Suspects
from certpipe.runtime.dispatch import messages
from certpipe.runtime.worker import SUSPECT_AT

log: Final = logging.getLogger(__name__)


class Isolator:
    """Looks every second for suspects that are due. Several may run."""

    def __init__(
        self, *, suspects: Suspects, publisher: Publisher, exchange: str, clock: Clock, every: float = 1.0
    ) -> None:
        self._suspects, self._publisher, self._exchange = suspects, publisher, exchange
        self._clock, self._every = clock, every

    async def run(self, stopping: asyncio.Event) -> None:
        """Publish until `stopping` is set."""
        while not stopping.is_set():
            if self._publisher.ready:
                try:
                    await self._publish_due()
                except Unavailable as away:  # the lease runs out
                    log.info("suspects wait", extra={"codes": str(away)})
            await self._clock.wait(self._every, until=stopping)

    async def _publish_due(self) -> None:
        due = await self._suspects.due()
        if not due:
            return
        await self._publisher.publish(
            [
                message
                for each in due
                for message in messages(self._exchange, each.stage, [each.ref], suspect=each.deaths >= SUSPECT_AT)
            ]
        )
        await self._suspects.dispatched([each.ref for each in due])
