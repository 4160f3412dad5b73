"""Places for so many at once, which are given in the order of asking."""

import asyncio
from collections import deque
from collections.abc import Callable


class Turns:
    """Who finds no place waits until one leaves, or until all who wait are sent away."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._present = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def count(self) -> int:
        """How many have a place or wait for one."""
        return self._present + len(self._waiting)

    async def enter(self, seconds: float) -> None:
        """Wait for a place, so long at the most.

        Raises:
            TimeoutError: there was none for so long.
            Exception: what `send_away` made.
        """
        if self._present < self._at_once:
            self._present += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(seconds):
                await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.leave()  # it came at the same instant
            elif turn in self._waiting:
                self._waiting.remove(turn)
            raise

    def pass_by(self) -> None:
        """Take a place beyond the number."""
        self._present += 1

    def leave(self) -> None:
        """Give the place to whoever waits longest, unless there are more than the number."""
        while self._waiting and self._present <= self._at_once:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._present -= 1

    def send_away(self, why: Callable[[], Exception]) -> None:
        """All who wait, each with one of its own."""
        waiting, self._waiting = self._waiting, deque()
        for turn in waiting:
            if not turn.done():
                turn.set_exception(why())
