"""What waits for dispatch."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from certpipe.core.breaker import BreakerRules
from certpipe.core.clock import Clock
from certpipe.core.errors import Unavailable
from certpipe.core.states import WAITS_FOR
from certpipe.store.database import Database
from certpipe.store.named import queries
from certpipe.store.records import ref_of
from schemas.messages import UploadRef
from schemas.status import Stage, State

_SQL = queries("backlog")
_SERVICES = queries("services")
_FLUSH_AFTER = 0.5
_SLICE = 5000
_FRESH = timedelta(seconds=1)
WINDOW: Final = 5000
"""Uploads that wait for one stage in the broker, above which the sweeper keeps what is due where it is."""


class StoreBacklog:
    """The backlog over the store. Close it, so that the last notes of dispatch are written.

    `window`: how many uploads a stage may have in the broker before `due` gives it no more, where more are due than
    were asked for. It is a measure, not a promise: hops from stage to stage and the fast path count, and are not held.
    """

    def __init__(self, database: Database, clock: Clock, *, window: int = WINDOW) -> None:
        self._database = database
        self._window = window
        self._clock = clock
        self._noted: dict[UUID, int] = {}
        self._closing = asyncio.Event()
        self._flusher: asyncio.Task[None] | None = None
        self._counting = asyncio.Lock()
        self._counted: tuple[datetime, Mapping[UUID, int]] | None = None

    async def due(self, limit: int) -> Mapping[Stage, Sequence[UploadRef]]:
        found: defaultdict[Stage, list[UploadRef]] = defaultdict(list)
        for row in await self._database.fetch(_SQL["due"], limit, self._window):
            found[WAITS_FOR[State(row["state"])]].append(ref_of(row))
        return found

    async def dispatched(self, refs: Sequence[UploadRef]) -> None:
        """Never raises: a note that is lost costs a second publishing, which the stages' guard absorbs."""
        self._noted.update((ref.id, ref.epoch) for ref in refs)
        if self._noted and self._flusher is None:
            self._flusher = asyncio.create_task(self._flush_later())

    async def close(self) -> None:
        """Write what was noted. Idempotent."""
        self._closing.set()
        if self._flusher is not None:
            await self._flusher

    async def redrive(self) -> int:
        row = await self._database.fetchrow(_SQL["due_already"])
        if row is None:
            return 0
        total = int(row["due"])
        while made_due := await self._database.fetch(_SQL["redrive"], row["now"], _SLICE):
            total += len(made_due)
        return total + await self._release_all()

    async def depth(self) -> int:
        return sum((await self._depths()).values())

    async def depth_of(self, organization_id: UUID) -> int:
        return (await self._depths()).get(organization_id, 0)

    async def release(self) -> None:
        await self._database.execute(_SERVICES["probe"], BreakerRules().probe)
        await self._database.execute(_SERVICES["release"], _SLICE)
        await self._database.execute(_SERVICES["release_deserted"], _SLICE)

    async def sweep(self) -> None:
        await self._database.execute(_SQL["sweep_checks"])
        for query in ("sweep_keys", "sweep_followers"):
            done = _SLICE
            while done == _SLICE:
                row = await self._database.fetchrow(_SQL[query], _SLICE)
                done = 0 if row is None else int(row["done"])

    async def _depths(self) -> Mapping[UUID, int]:
        """By organization; those without any are missing."""
        async with self._counting:  # those who ask meanwhile get the one answer
            now = self._clock.now()
            if self._counted is None or not now - _FRESH < self._counted[0] <= now:
                rows = await self._database.fetch(_SQL["depth"])
                self._counted = now, {row["organization_id"]: int(row["depth"]) for row in rows}
            return self._counted[1]

    async def _release_all(self) -> int:
        """Let go what waits for a service, once: who still has to wait is held again."""
        total, last = 0, UUID(int=0)
        while held := await self._database.fetch(_SERVICES["release_all"], last, _SLICE):
            total += len(held)
            last = max(row["id"] for row in held)
        return total

    async def _flush_later(self) -> None:
        try:
            while self._noted:
                await self._clock.wait(_FLUSH_AFTER, until=self._closing)
                noted, self._noted = self._noted, {}
                await self._flush(noted)
        finally:
            self._flusher = None

    async def _flush(self, noted: Mapping[UUID, int]) -> None:
        try:
            async with self._database.transaction() as session:
                await session.execute(_SQL["relax"])
                await session.execute(_SQL["dispatched"], list(noted), list(noted.values()))
        except Unavailable:
            return
