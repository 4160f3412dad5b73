"""One request as a handler sees it: who asks, with ids and parameters that are what they should be."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from certpipe.core.ports.directory import Role
from certpipe.core.problems import TARGET_NOT_FOUND
from certpipe.ingress.auth import Principal
from certpipe.ingress.keys import DIRECTORY
from certpipe.ingress.problems import FORBIDDEN, INVALID_PARAMETER, NOT_FOUND
from certpipe.ingress.refusal import RefusedError
from certpipe.ingress.submission import parse_uuid
from schemas.directory import OPERATOR_SCOPE
from schemas.webhooks import Instant

Choice = TypeVar("Choice", bound=StrEnum)
Key = TypeVar("Key")
_TIME: TypeAdapter[datetime] = TypeAdapter(Instant)
NOBODY = Principal("", operator=False)
NO_UUID = replace(NOT_FOUND, hint="Ids are UUIDs such as 0199aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee")
MOST_DIGITS = 9
MOST_NUMBER = 10**MOST_DIGITS - 1


@dataclass(frozen=True, slots=True)
class Call:
    """A request by a proved sender (by `NOBODY` on public routes)."""

    request: web.Request
    principal: Principal

    def of(self, key: web.AppKey[Key]) -> Key:
        """What the application holds."""
        return self.request.app[key]

    def path_id(self, name: str = "id") -> UUID:
        """An id in the path; what is no UUID does not exist."""
        found = parse_uuid(self.request.match_info[name])
        if found is None:
            raise RefusedError(NO_UUID)
        return found

    def query_id(self, name: str) -> UUID | None:
        """A UUID in the query."""
        text = self.request.query.get(name)
        found = None if text is None else parse_uuid(text)
        if text is not None and found is None:
            raise RefusedError(replace(INVALID_PARAMETER, field=name, hint="This parameter is a UUID"))
        return found

    def query_number(self, name: str, *, least: int, most: int) -> int | None:
        """A whole number in the query; what is above `most` counts as `most`."""
        text = self.request.query.get(name)
        if text is None:
            return None
        digits = max(MOST_DIGITS, len(str(most)))
        if not (text.isascii() and text.isdigit() and len(text) <= digits) or int(text) < least:
            hint = f"A whole number, {least} at least; {most} is the most that counts"
            raise RefusedError(replace(INVALID_PARAMETER, field=name, hint=hint))
        return min(int(text), most)

    def query_time(self, name: str) -> datetime | None:
        """An instant in the query, as RFC 3339 writes it."""
        text = self.request.query.get(name)
        if text is None:
            return None
        try:
            return _TIME.validate_strings(text)
        except ValidationError:
            hint = "A time as RFC 3339 writes it, like 2026-01-15T16:20:00Z"
            raise RefusedError(replace(INVALID_PARAMETER, field=name, hint=hint)) from None

    def query_choice(self, name: str, choices: type[Choice]) -> Choice | None:
        """One of a closed set in the query."""
        text = self.request.query.get(name)
        if text is not None and text not in set(choices):
            hint = f"One of: {', '.join(choices)}"
            raise RefusedError(replace(INVALID_PARAMETER, field=name, hint=hint))
        return None if text is None else choices(text)

    async def roles(self) -> Mapping[UUID, Role]:
        """The sender's organizations."""
        return await self.of(DIRECTORY).roles(self.principal.subject)

    async def organizations(self) -> tuple[UUID, ...]:
        """Their ids, for queries that are scoped by them."""
        return tuple(await self.roles())

    async def own_party(self, name: str) -> UUID | None:
        """A party in the query; one of another organization is as unknown as a random id."""
        party_id = self.query_id(name)
        if party_id is not None:
            party = await self.of(DIRECTORY).party(party_id)
            if party is None or party.organization_id not in await self.roles():
                raise RefusedError(TARGET_NOT_FOUND.about(name))
        return party_id

    def needs_operator(self) -> None:
        """Only operators pass."""
        if not self.principal.operator:
            raise RefusedError(replace(FORBIDDEN, hint=f"This needs the scope `{OPERATOR_SCOPE}`"))

    def gone(self) -> bool:
        """Whether the client hung up."""
        transport = self.request.transport
        return transport is None or transport.is_closing()
