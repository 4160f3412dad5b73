"""Producers' messages that wait because their organization has too much on its way, apart from everybody else's."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from certpipe.core.ports.broker import Delivery

MOST: Final = 448
MOST_OF_ONE: Final = 256
LONGEST: Final = timedelta(minutes=10)
"""How long one may wait here: a third of the time after which the broker takes every message of the channel back."""


class Aside:
    """Deliveries that are neither taken in nor answered yet, by organization, in the order in which they came.

    It is bounded, for it lives in memory and out of what the broker hands over at a time: who has no place here any
    more, or waits too long, is to be refused, so that the others' messages behind it are reached. `filled` is set while
    there are any.
    """

    def __init__(self, *, most: int = MOST, most_of_one: int = MOST_OF_ONE) -> None:
        self._most, self._most_of_one = most, most_of_one
        self._waiting: dict[UUID, OrderedDict[int, Delivery]] = {}
        self._since: dict[int, datetime] = {}
        self.filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._since)

    def put(self, organization_id: UUID, delivery: Delivery, now: datetime) -> bool:
        """Keep it, or say that it may wait no longer. One that was tried again keeps its place and its time."""
        key, own = id(delivery), self._waiting.get(organization_id, OrderedDict())
        if key in own:
            return now - self._since[key] < LONGEST
        if len(self) >= self._most or len(own) >= self._most_of_one:
            return False
        self._waiting.setdefault(organization_id, OrderedDict())[key] = delivery
        self._since[key] = now
        self.filled.set()
        return True

    def keep_only(self, held: Callable[[Delivery], bool]) -> None:
        """Forget those that `held` denies: they come again, and must not take the place of what they come as."""
        self.drop([delivery for own in self._waiting.values() for delivery in own.values() if not held(delivery)])

    def oldest(self, limit: int) -> Sequence[Sequence[Delivery]]:
        """The first of each organization."""
        return [list(own.values())[:limit] for own in self._waiting.values()]

    def drop(self, deliveries: Sequence[Delivery]) -> None:
        """These have ended; those that never were here are no matter."""
        gone = {id(delivery) for delivery in deliveries} & self._since.keys()
        for key in gone:
            del self._since[key]
        for organization_id, own in list(self._waiting.items()):
            for key in gone & own.keys():
                del own[key]
            if not own:
                del self._waiting[organization_id]
        if not self._since:
            self.filled.clear()

    def empty(self) -> Sequence[Delivery]:
        """Everything that is here, which then is not any more."""
        every = [delivery for own in self._waiting.values() for delivery in own.values()]
        self.drop(every)
        return every
