"""What a scenario is: what is done to the system while it works, and what may come of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.chaos.mischief import Mischief

if TYPE_CHECKING:
    from tests.chaos.rig import Rig

EVERYWHERE: Final = frozenset({"inprocess", "rabbitmq310", "rabbitmq4"})
RABBITMQ: Final = frozenset({"rabbitmq310", "rabbitmq4"})
CLUSTER: Final = frozenset({"cluster"})


@dataclass(frozen=True, slots=True)
class Scenario:
    """One line of the table.

    Attributes:
        about: what is done, in one sentence.
        act: does it while the clients send, and returns when the fault is over.
        brokers: where it makes sense.
        mischief: what roles are up to from the start.
        proxies: `database`, `broker`: what is reached by a proxy.
        poison: so many uploads that no process survives.
        told: a receiver of webhooks is told of every event.
        control: what runs is made to have this fault, which has to be found.
        recovers: seconds after the fault within which the rate is back.
        patience: seconds in which nothing ends, after which what has not ended is stuck.
    """

    name: str
    about: str
    act: Callable[["Rig"], Awaitable[None]]
    brokers: frozenset[str] = EVERYWHERE
    mischief: Mapping[str, Mischief] = field(default_factory=dict)
    proxies: frozenset[str] = frozenset()
    poison: int = 0
    control: str = ""
    recovers: float = 10.0
    patience: float = 90.0
    told: bool = True
