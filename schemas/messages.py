"""What travels between the stages: ids, never a payload."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field

from schemas.base import Contract
from schemas.status import ProblemView, Stage

MOST_UPLOADS = 64


class UploadRef(Contract):
    """One upload at one epoch; a delivery whose epoch is no longer the row's is stale."""

    id: UUID
    epoch: Annotated[int, Field(ge=0)]


class StageMessage(Contract):
    """The uploads that wait for one stage: as many as the batch before had, at most 64.

    `suspect`: processes died with it in hand, so that it is worked on in one of its own.
    """

    stage: Stage
    uploads: Annotated[tuple[UploadRef, ...], Field(min_length=1, max_length=MOST_UPLOADS)]
    suspect: bool = False


class RefusedMessage(Contract):
    """What the producers' door puts into the dead letters of a message that it refused: never a bundle in clear."""

    user: str | None
    correlation_id: str | None
    problems: tuple[ProblemView, ...]
    message: Annotated[dict[str, Any], Field(repr=False)]
