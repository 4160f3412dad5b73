"""The services of PACs: whether they are used at present, known to all processes and shown to operators."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar
from uuid import UUID

from certpipe.core.problems import Problem
from schemas.services import ServiceState, ServiceView

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Standing:
    """How a service stands. `openings`: how many times it was opened on end."""

    state: ServiceState
    openings: int


class Services(Protocol):
    """What forward knows of services, and tells. Every method raises `Unavailable`."""

    async def register(self, rates: Mapping[str, float]) -> None:
        """These are used, so fast (hand-overs begun per second). One that is open stays open."""

    async def present(self, names: Collection[str]) -> None:
        """A process that uses these lives. To be told about once a second while any service is left alone."""

    async def standing(self) -> Mapping[str, Standing]:
        """Of every service, by its name."""

    async def opened(self, name: str, *, seconds: float, problem: Problem, probe: UUID | None) -> None:
        """Open a service that is closed; or, where it failed that probe, one that is half open."""

    async def answered(self, name: str, *, enough: int) -> None:
        """A probe was answered: close after so many, or when nothing waits."""


class ServiceDesk(Protocol):
    """What operators see and do."""

    async def services(self) -> Sequence[ServiceView]:
        """All that were ever used, by name."""

    async def reset(self, name: str) -> ServiceView | None:
        """Close it; None when there is no such service."""


class Gate(Protocol):
    """The way to one service: its breaker and its pace."""

    def check(self, *, probe: bool) -> None:
        """Raises `Barred` when the service is left alone at present; a probe passes."""

    async def through(self, hand_over: Callable[[], Awaitable[T]], upload: UUID, *, probe: bool) -> T:
        """Do it when it is its turn, and learn from how it ends.

        Raises what it raises, or `Barred`: not its turn now, or the service fails everybody and not this upload alone.
        """


class Room(Protocol):
    """How many uploads a service can be given."""

    def room(self) -> int:
        """So many more may come in now."""

    def put_off(self) -> tuple[float, float]:
        """Where there is no room: seconds until the first of them is to come again, and from each to the next."""

    def promised(self, count: int) -> None:
        """So many were put off."""
