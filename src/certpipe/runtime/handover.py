"""One hand-over to a service that is under way."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class HandOver:
    """Which, since when, and for how long at the most.

    Attributes:
        tide: how many times the service was left alone or used again before it began.
        again: one of the same upload hung before.
        limit: not yet entered.
    """

    upload: UUID
    probe: bool
    began: float
    tide: int
    again: bool
    limit: asyncio.Timeout

    async def take(self, hand_over: Callable[[], Awaitable[T]]) -> T:
        """Raises `TimeoutError` when the limit is over, which may be brought forward."""
        async with self.limit:
            return await hand_over()

    def give_up(self) -> None:
        if not self.limit.expired():
            self.limit.reschedule(asyncio.get_running_loop().time())
