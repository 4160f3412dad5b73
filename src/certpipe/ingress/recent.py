"""The directory, remembered for a second: a busy sender does not make the database answer the same thing each time."""

from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar, cast
from uuid import UUID

from certpipe.core.clock import Clock
from certpipe.core.ports.directory import Directory, Organization, Party, Producer, Role
from schemas.directory import EntryState

Value = TypeVar("Value")
MOST_ENTRIES = 10_000


class RecentDirectory:
    """The port `Directory` over another one. What does not exist is never remembered, and a change forgets everything.

    So a membership that another process takes away still counts for at most `age`.
    """

    def __init__(self, directory: Directory, clock: Clock, *, age: timedelta = timedelta(seconds=1)) -> None:
        self._directory, self._clock, self._age = directory, clock, age
        self._known: dict[Hashable, tuple[datetime, object]] = {}

    async def put_organization(self, organization: Organization, *, owner: str) -> bool:
        try:
            return await self._directory.put_organization(organization, owner=owner)
        finally:
            self._known.clear()

    async def put_party(self, party: Party) -> bool:
        try:
            return await self._directory.put_party(party)
        finally:
            self._known.clear()

    async def put_producer(self, producer: Producer) -> None:
        try:
            await self._directory.put_producer(producer)
        finally:
            self._known.clear()

    async def void_party(self, party_id: UUID) -> bool:
        return await self._directory.void_party(party_id)

    async def entry_states(self, party_ids: Sequence[UUID]) -> Mapping[UUID, EntryState]:
        return await self._directory.entry_states(party_ids)

    async def organization(self, organization_id: UUID) -> Organization | None:
        return await self._directory.organization(organization_id)

    async def organizations(self, subject: str) -> Sequence[Organization]:
        return await self._directory.organizations(subject)

    async def parties(self, organization_ids: Sequence[UUID]) -> Sequence[Party]:
        return await self._directory.parties(organization_ids)

    async def roles(self, subject: str) -> Mapping[UUID, Role]:
        return await self._recent(("roles", subject), lambda: self._directory.roles(subject))

    async def party(self, party_id: UUID) -> Party | None:
        return await self._recent(("party", party_id), lambda: self._directory.party(party_id))

    async def producer(self, user: str) -> Producer | None:
        return await self._recent(("producer", user), lambda: self._directory.producer(user))

    async def _recent(self, key: Hashable, ask: Callable[[], Coroutine[Any, Any, Value]]) -> Value:
        known = self._known.get(key)
        if known is not None and self._clock.now() - known[0] < self._age:
            return cast("Value", known[1])
        asked = self._clock.now()
        value = await ask()
        if value:
            if len(self._known) >= MOST_ENTRIES:
                self._known.clear()
            self._known[key] = (asked, value)
        return value
