"""The clients: they write down every 202 and what they had sent for it, and go on until they have it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import aiohttp

from certpipe.core.clock import SystemClock
from tests.chaos.material import Pair

AT_ONCE = 16
AGAIN = 0.1
ACCEPTED = 202
AGAIN_LATER = frozenset({401, 409, 503})
"""A door whose clock is wrong takes a good token for a bad one; and the first try may still be under way."""


@dataclass
class Load:
    """Sends each pair once, under an idempotency key of its own, and again until it is accepted.

    Attributes:
        rate: so many are begun per second at the most. A system that is busy to the brim shows little of how it
            recovers: whatever is to be caught up with takes from the rest.
        window: so many accepted uploads may not have ended yet; then the clients wait.
        ended: how many have, as far as is known.
        accepted: by upload id, in the order of the answers.
        round: part of each key: another round makes other uploads.
        most: so many may be sent in all, where a scenario meters them.
        refused: answers that were neither 202 nor a request to come again.
    """

    url: str
    token: str
    pairs: Sequence[Pair]
    rate: float
    window: int
    ended: Callable[[], int]
    accepted: dict[str, Pair] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    retries: int = 0
    round: int = 0
    most: int | None = None
    _grown: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def run(self) -> None:
        """Return when every pair is accepted."""
        waiting, began = iter(enumerate(self.pairs)), time.monotonic()
        headers = {"Authorization": f"Bearer {self.token}"}
        timeout = aiohttp.ClientTimeout(total=30)
        connector = aiohttp.TCPConnector(limit=AT_ONCE)
        async with aiohttp.ClientSession(
            self.url, headers=headers, timeout=timeout, trust_env=False, connector=connector
        ) as http:

            async def client() -> None:
                for number, pair in waiting:
                    await SystemClock().wait(max(0.0, began + number / self.rate - time.monotonic()))
                    while self._held_back():
                        await SystemClock().wait(AGAIN)
                    await self._until_accepted(http, pair)

            await asyncio.gather(*(client() for _ in range(AT_ONCE)))

    def meter(self, count: int) -> None:
        """Let the clients send no more than so many, until the next word."""
        self.most = count

    async def reached(self, count: int) -> None:
        """Wait until so many are accepted (or all)."""
        async with self._grown:
            await self._grown.wait_for(lambda: len(self.accepted) >= min(count, len(self.pairs)))

    def _held_back(self) -> bool:
        """As far as the clients that are sending now leave it exact."""
        accepted = len(self.accepted)
        return accepted - self.ended() >= self.window or (self.most is not None and accepted >= self.most)

    async def _until_accepted(self, http: aiohttp.ClientSession, pair: Pair) -> None:
        while not await self._accepted(http, pair):
            self.retries += 1
            await SystemClock().wait(AGAIN)

    async def _accepted(self, http: aiohttp.ClientSession, pair: Pair) -> bool:
        """True when there is no need to come again."""
        key = {"Idempotency-Key": f"chaos-{self.round}-{pair.number}"}
        try:
            async with http.post("/v1/uploads", json=pair.body, headers=key) as answer:
                document = await answer.json(content_type=None)
                status = answer.status
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return False
        if status == ACCEPTED:
            self.accepted[document["id"]] = pair
            async with self._grown:
                self._grown.notify_all()
            return True
        if status in AGAIN_LATER:
            return False
        self.refused.append(f"{status} {document.get('code')}")
        return True
