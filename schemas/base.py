"""What every contract has in common."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Contract(BaseModel):
    """A frozen model that refuses unknown members, so that a typing error is an answer and not a silence."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Kind(StrEnum):
    """Which of SAT's two: the e.firma that signs as the person, or the seal that stamps invoices."""

    FIEL = "fiel"
    CSD = "csd"
