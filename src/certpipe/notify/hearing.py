"""One ear for all who wait for hints in a process."""

import asyncio
import logging
from typing import Final

from certpipe.core.errors import place
from certpipe.core.ports.doors import Hints

log: Final = logging.getLogger(__name__)


class Hearing:
    """Sets each of these events at each hint, and for good when it stops. Who waits looks every second besides."""

    def __init__(self, hints: Hints, *heard: asyncio.Event) -> None:
        self._hints, self._heard = hints, heard

    async def run(self, stopping: asyncio.Event) -> None:
        """Listen until `stopping` is set."""
        try:
            await self._hints.listen(self._ring, stopping)
        except Exception as error:  # noqa: BLE001 - without hints all look every second, and nothing stays untold
            log.error("no more hints", extra={"defect": place(error)})
        await stopping.wait()
        self._ring()

    def _ring(self) -> None:
        for event in self._heard:
            event.set()
