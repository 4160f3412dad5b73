"""The services of PACs, as operators see them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from schemas.base import Contract

SERVICE_PATTERN = r"[a-z0-9][a-z0-9-]{0,62}"


class ServiceState(StrEnum):
    """`closed`: used as usual. `open`: left alone; uploads wait. `half_open`: one upload at a time tries it."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class ServiceView(Contract):
    """One service, which is one destination of certificates."""

    name: str
    state: ServiceState
    since: datetime
    until: Annotated[datetime | None, Field(description="Of one that is open: when it is tried again")] = None
    code: Annotated[str | None, Field(description="Why it was opened last")] = None
    message_es: str | None = None
    message_en: str | None = None
    hint: str | None = None
    openings: Annotated[int, Field(ge=0, description="How many times it was opened on end")] = 0
    waiting: Annotated[int, Field(ge=0, description="Uploads that wait for it")] = 0


class ServiceList(Contract):
    """All services."""

    items: tuple[ServiceView, ...]
