"""Dead letters, as operators see them: uploads that ended `failed`, and messages that no queue could be rid of."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from schemas.base import Contract
from schemas.status import ProblemView, Stage, ToldStage
from schemas.webhooks import After, Instant

CODE_PATTERN = "[a-z][a-z0-9_]{0,99}"


class DeathReason(StrEnum):
    """What brought a letter here."""

    FAILED = "failed"
    MALFORMED = "malformed"
    REFUSED = "refused"
    DELIVERY_LIMIT = "delivery_limit"


class LetterState(StrEnum):
    """Whether somebody has dealt with it."""

    OPEN = "open"
    REPLAYED = "replayed"
    DROPPED = "dropped"


class LetterAct(Contract):
    """What was done with a letter, by whom (the subject of the token), when."""

    act: LetterState
    by: str
    at: datetime


class DeadLetterView(Contract):
    """One letter. Of an upload: the stage that gave it up, at which epoch. Else what could be kept of the message."""

    id: int
    state: LetterState
    reason: DeathReason
    died_at: datetime
    upload_id: UUID | None = None
    organization_id: UUID | None = None
    epoch: int | None = None
    stage: ToldStage | None = None
    code: str | None = None
    problems: tuple[ProblemView, ...] = ()
    message: Annotated[
        dict[str, Any] | None,
        Field(description="Of a message: its plain members, its box, whose it was; never a bundle in clear"),
    ] = None
    history: tuple[LetterAct, ...] = ()


class DeadLetterPage(Contract):
    """One page, newest first; `next` is the cursor of the following page."""

    items: tuple[DeadLetterView, ...]
    next: int | None = None


class DeadReplayBody(Contract):
    """Which open letters of uploads to replay: those that all of these fit; without any, every one.

    `after`: only letters with a greater id, to go on from the answer before.
    """

    stage: Stage | None = None
    code: Annotated[str | None, Field(pattern=f"^{CODE_PATTERN}$")] = None
    since: Instant | None = None
    after: After = 0


class DeadReplayView(Contract):
    """How many go on again, and how many could not. `next`: there may be more, `after` this id."""

    replayed: int
    refused: int
    next: int | None = None
