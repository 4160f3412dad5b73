"""The dead letters over the store: buried by the parker and by what ends uploads, dealt with by operators."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from certpipe.core.errors import Rejected
from certpipe.core.ports.dead import LETTER_CLOSED, NEWER_WON, NOTHING_LEFT, DeadMessage, Replay, Wanted
from certpipe.core.problems import Problem
from certpipe.store.database import Database, Record
from certpipe.store.documents import acts_of, document_of, document_text, view_texts, views_of
from certpipe.store.named import queries
from schemas.dead import DeadLetterPage, DeadLetterView, DeathReason, LetterState

_SQL = queries("dead")
_BEFORE_THE_FIRST: Final = 2**63 - 1
_COLUMNS: Final = 6
_REFUSALS: Final[Mapping[str, Problem]] = MappingProxyType(
    {each.code: each for each in (LETTER_CLOSED, NOTHING_LEFT, NEWER_WON)}
)


@dataclass(frozen=True, slots=True)
class StoreDeadLetters:
    """The ports `Graveyard` and `DeadLetters`."""

    database: Database

    async def bury(self, messages: Sequence[DeadMessage], /) -> None:
        columns = list(zip(*map(_row, messages), strict=True)) or [()] * _COLUMNS
        await self.database.execute(_SQL["bury"], *columns)

    async def page(
        self, wanted: Wanted, *, state: LetterState | None, cursor: int | None, limit: int
    ) -> DeadLetterPage:
        # One more than is wanted tells whether another page follows.
        before = _BEFORE_THE_FIRST if cursor is None else cursor
        fit = before, wanted.stage, wanted.code, wanted.since, limit + 1
        if state is LetterState.OPEN:
            rows = await self.database.fetch(_SQL["open"], *fit)
        else:
            rows = await self.database.fetch(_SQL["every"], *fit, state)
        follows = rows[limit - 1]["id"] if len(rows) > limit else None
        return DeadLetterPage(items=tuple(map(_view, rows[:limit])), next=follows)

    async def letter(self, letter_id: int) -> DeadLetterView | None:
        row = await self.database.fetchrow(_SQL["letter"], letter_id)
        return None if row is None else _view(row)

    async def replay(self, letter_id: int, *, by: str) -> DeadLetterView | None:
        for row in await self.database.fetch(_SQL["replay"], [letter_id], by):
            if row["verdict"] is not None:
                raise Rejected(_REFUSALS[row["verdict"]])
        return await self.letter(letter_id)

    async def replay_some(self, wanted: Wanted, *, after: int, limit: int, by: str) -> Replay:
        found = await self.database.fetch(_SQL["next_open"], after, wanted.stage, wanted.code, wanted.since, limit)
        if not found:
            return Replay(0, 0, None)
        rows = await self.database.fetch(_SQL["replay"], [row["id"] for row in found], by)
        refused = sum(row["verdict"] is not None for row in rows)
        return Replay(len(rows) - refused, refused, found[-1]["id"])

    async def drop(self, letter_id: int, *, by: str) -> DeadLetterView | None:
        dropped = await self.database.fetchrow(_SQL["drop"], letter_id, by)
        letter = await self.letter(letter_id)
        if dropped is None and letter is not None:
            raise Rejected(LETTER_CLOSED)
        return letter


def _row(message: DeadMessage) -> tuple[object, ...]:
    code = message.problems[0].code if message.problems else None
    kept = document_text(message.kept)
    return message.reason, message.stage, code, view_texts(message.problems), kept, message.identity


def _view(row: Record) -> DeadLetterView:
    return DeadLetterView(
        id=row["id"],
        state=LetterState(row["state"]),
        reason=DeathReason(row["reason"]),
        died_at=row["died_at"],
        upload_id=row["upload_id"],
        organization_id=row["organization_id"],
        epoch=row["epoch"],
        stage=row["stage"],
        code=row["code"],
        problems=views_of(row["problems"]),
        message=None if row["message"] is None else document_of(row["message"]),
        history=acts_of(row["history"]),
    )
