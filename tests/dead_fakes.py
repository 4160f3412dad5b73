"""The port `DeadLetters` in memory."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

from certpipe.core.errors import Rejected
from certpipe.core.ports.dead import LETTER_CLOSED, NOTHING_LEFT, Replay, Wanted
from schemas.dead import DeadLetterPage, DeadLetterView, LetterAct, LetterState

AT = datetime(2026, 6, 1, tzinfo=UTC)


@dataclass
class MemoryDeadLetters:
    """Letters by their numbers, as a test puts them."""

    letters: dict[int, DeadLetterView] = field(default_factory=dict)

    async def page(
        self, wanted: Wanted, *, state: LetterState | None, cursor: int | None, limit: int
    ) -> DeadLetterPage:
        found = [
            each
            for each in sorted(self.letters.values(), key=lambda letter: -letter.id)
            if _fits(each, wanted) and state in {None, each.state} and (cursor is None or each.id < cursor)
        ]
        return DeadLetterPage(items=tuple(found[:limit]), next=found[limit - 1].id if len(found) > limit else None)

    async def letter(self, letter_id: int) -> DeadLetterView | None:
        return self.letters.get(letter_id)

    async def replay(self, letter_id: int, *, by: str) -> DeadLetterView | None:
        letter = self.letters.get(letter_id)
        if letter is not None and letter.state is LetterState.OPEN and letter.upload_id is None:
            raise Rejected(NOTHING_LEFT)
        return self._act(letter_id, LetterState.REPLAYED, by)

    async def replay_some(self, wanted: Wanted, *, after: int, limit: int, by: str) -> Replay:
        found = [
            each.id
            for each in sorted(self.letters.values(), key=lambda letter: letter.id)
            if each.state is LetterState.OPEN and each.upload_id and each.id > after and _fits(each, wanted)
        ][:limit]
        for each in found:
            self._act(each, LetterState.REPLAYED, by)
        return Replay(len(found), 0, found[-1] if found else None)

    async def drop(self, letter_id: int, *, by: str) -> DeadLetterView | None:
        return self._act(letter_id, LetterState.DROPPED, by)

    def _act(self, letter_id: int, act: LetterState, by: str) -> DeadLetterView | None:
        letter = self.letters.get(letter_id)
        if letter is None:
            return None
        if letter.state is not LetterState.OPEN:
            raise Rejected(LETTER_CLOSED)
        history = (*letter.history, LetterAct(act=act, by=by, at=AT))
        self.letters[letter_id] = letter.model_copy(update={"state": act, "history": history})
        return self.letters[letter_id]


def _fits(letter: DeadLetterView, wanted: Wanted) -> bool:
    return (
        wanted.stage in {None, letter.stage}
        and wanted.code in {None, letter.code}
        and (wanted.since is None or letter.died_at >= wanted.since)
    )
