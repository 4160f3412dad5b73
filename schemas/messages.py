"""What travels between the stages: ids, never a payload."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from schemas.base import Contract
from schemas.status import Stage

MOST_UPLOADS = 64


class UploadRef(Contract):
    """One upload at one epoch; a delivery whose epoch is no longer the row's is stale."""

    id: UUID
    epoch: Annotated[int, Field(ge=0)]


class StageMessage(Contract):
    """The uploads that wait for one stage: as many as the batch before had, at most 64."""

    stage: Stage
    uploads: Annotated[tuple[UploadRef, ...], Field(min_length=1, max_length=MOST_UPLOADS)]
