"""Where what died is kept, and from where it goes on again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from certpipe.core.problems import Problem
from schemas.dead import DeadLetterPage, DeadLetterView, DeathReason, LetterState
from schemas.status import ProblemView, Stage


@dataclass(frozen=True, slots=True)
class DeadMessage:
    """A message that no queue could be rid of. `kept`: what may be kept of it, and of where it came from.

    `identity`: the same for the same message, however often it is buried.
    """

    reason: DeathReason
    identity: bytes
    stage: Stage | None = None
    problems: tuple[ProblemView, ...] = ()
    kept: Mapping[str, Any] = field(default_factory=dict, repr=False)


class Graveyard(Protocol):
    """The side of whoever buries. Uploads that end `failed` are buried by what ends them, in the same transaction."""

    async def bury(self, messages: Sequence[DeadMessage], /) -> None:
        """Keep them, durably; one that is kept already changes nothing. Raises `Unavailable`."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letters: those that all of this fits."""

    stage: Stage | None = None
    code: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """What became of a replay: how many go on again, how many could not, and the last letter that was looked at."""

    replayed: int
    refused: int
    last: int | None


class DeadLetters(Protocol):
    """The side of operators."""

    async def page(
        self, wanted: Wanted, *, state: LetterState | None, cursor: int | None, limit: int
    ) -> DeadLetterPage:
        """Newest first; `cursor`: only letters with a smaller id."""

    async def letter(self, letter_id: int) -> DeadLetterView | None:
        """One."""

    async def replay(self, letter_id: int, *, by: str) -> DeadLetterView | None:
        """Let its upload go on from the stage that failed, in one transaction with its event; None: no such letter.

        Raises `Rejected` with the reason where that cannot be: nothing changes then.
        """

    async def replay_some(self, wanted: Wanted, *, after: int, limit: int, by: str) -> Replay:
        """The same for at most `limit` open letters of uploads with a greater id than `after`, the smallest first."""

    async def drop(self, letter_id: int, *, by: str) -> DeadLetterView | None:
        """Give it up: what is left of its bundle is deleted, and the upload stays `failed`. None: no such letter.

        Raises `Rejected` where it is not open any more.
        """


def _problem(code: str, es: str, en: str, hint: str) -> Problem:
    return Problem(code, es, en, hint=hint, status=409)


LETTER_CLOSED = _problem(
    "letter_closed",
    "Este elemento ya fue reintentado o descartado",
    "This letter was replayed or dropped already",
    "Its history says by whom; an upload that failed again has a new letter",
)
NOTHING_LEFT = _problem(
    "nothing_left",
    "No queda nada con qué reintentar",
    "Nothing is left to go on with",
    "A message cannot be replayed, only an upload that kept its bundle: let it be sent again, and drop this letter",
)
NEWER_WON = _problem(
    "newer_won",
    "Una carga más reciente de la misma parte ya ganó",
    "A newer upload for the same party and kind has won meanwhile",
    "The party has the newer certificate: drop this letter",
)
