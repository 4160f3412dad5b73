"""The services of PACs: what forward tells and asks, and what operators see and do."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from certpipe.core.ports.services import Standing
from certpipe.core.problems import Problem
from certpipe.store.database import Database, Record
from certpipe.store.documents import problems_text, views_of
from certpipe.store.named import queries
from schemas.services import ServiceState, ServiceView

_SQL = queries("services")


@dataclass(frozen=True, slots=True)
class StoreServices:
    """The ports `Services` and `ServiceDesk` over the store."""

    database: Database

    async def register(self, rates: Mapping[str, float]) -> None:
        await self.database.execute(_SQL["register"], list(rates), list(rates.values()))

    async def present(self, names: Collection[str]) -> None:
        await self.database.execute(_SQL["present"], list(names))

    async def standing(self) -> Mapping[str, Standing]:
        rows = await self.database.fetch(_SQL["standing"])
        return {row["name"]: Standing(ServiceState(row["state"]), row["openings"]) for row in rows}

    async def opened(self, name: str, *, seconds: float, problem: Problem, probe: UUID | None) -> None:
        await self.database.execute(_SQL["opened"], name, seconds, problem.code, problems_text((problem,)), probe)

    async def answered(self, name: str, *, enough: int) -> None:
        await self.database.execute(_SQL["answered"], name, enough)

    async def services(self) -> Sequence[ServiceView]:
        return [_view(row) for row in await self.database.fetch(_SQL["shown"])]

    async def reset(self, name: str) -> ServiceView | None:
        if await self.database.fetchrow(_SQL["reset"], name) is None:
            return None
        return next((view for view in await self.services() if view.name == name), None)


def _view(row: Record) -> ServiceView:
    (why,) = views_of(row["problems"])[:1] or (None,)
    return ServiceView(
        name=row["name"],
        state=ServiceState(row["state"]),
        since=row["since"],
        until=row["until"],
        code=row["code"],
        message_es=why.message_es if why else None,
        message_en=why.message_en if why else None,
        hint=why.hint if why else None,
        openings=row["openings"],
        waiting=row["waiting"],
    )
