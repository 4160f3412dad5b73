"""Exchanges, queues and bindings as data: the same on RabbitMQ 3.10 and 4.x, and in process.

Arguments of a queue can never change. A new set of arguments is a new queue with the next version in its name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from schemas.status import Stage

WORK = "certpipe.work"
DEAD = "certpipe.dead"
UPLOADS = "certpipe.uploads"
EVENTS = "certpipe.events"

DEAD_QUEUE = "certpipe.dead.v1"
UPLOADS_QUEUE = "certpipe.uploads.v1"
UPLOADS_KEY = "upload"

DELIVERY_LIMIT = 50
"""How often a message may come back. In practice only crashes count: retries are rows, not requeues."""

NO_DELIVERY_LIMIT = 1_000_000
"""In effect none. RabbitMQ 4 drops after 20 by default, and -1 means 0 to RabbitMQ 3."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A durable exchange."""

    name: str
    kind: Literal["direct", "fanout", "topic"]


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable queue, with exactly these arguments."""

    name: str
    arguments: Mapping[str, str | int] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Binding:
    """What `exchange` is given with `key` goes to `queue`."""

    exchange: str
    queue: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Retired:
    """A queue of an older version, and its bindings.

    `successor`: the queue that takes its place, and what is left in it. None: only the workers of that version can
    empty it, because its messages cannot be published again as they are (RabbitMQ proves who published them).
    """

    queue: str
    bindings: Sequence[Binding]
    successor: str | None


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything that must be there, in the order in which it is declared, and what must go."""

    exchanges: Sequence[Exchange]
    queues: Sequence[Queue]
    bindings: Sequence[Binding]
    retired: Sequence[Retired] = ()


def queue_of(stage: Stage) -> str:
    """The queue whose messages wait for `stage`."""
    return f"certpipe.{stage.value}.v1"


_SAFE: Mapping[str, str | int] = MappingProxyType(
    {
        "x-queue-type": "quorum",
        "x-delivery-limit": DELIVERY_LIMIT,
        # At-least-once dead-lettering needs reject-publish; with drop-head it silently is at-most-once.
        "x-overflow": "reject-publish",
        "x-dead-letter-exchange": DEAD,
        "x-dead-letter-strategy": "at-least-once",
    }
)
_LAST: Mapping[str, str | int] = MappingProxyType({"x-queue-type": "quorum", "x-delivery-limit": NO_DELIVERY_LIMIT})

# In this order: a message that dies before the dead letters have a queue is lost or stuck.
EXCHANGES: Sequence[Exchange] = (
    Exchange(DEAD, "fanout"),
    Exchange(WORK, "direct"),
    Exchange(UPLOADS, "direct"),
    Exchange(EVENTS, "topic"),
)
QUEUES: Sequence[Queue] = (
    Queue(DEAD_QUEUE, _LAST),
    *(Queue(queue_of(stage), _SAFE) for stage in Stage),
    Queue(UPLOADS_QUEUE, _SAFE),
)
BINDINGS: Sequence[Binding] = (
    Binding(DEAD, DEAD_QUEUE),
    *(Binding(WORK, queue_of(stage), stage.value) for stage in Stage),
    Binding(UPLOADS, UPLOADS_QUEUE, UPLOADS_KEY),
)

# A queue that gets other arguments gets the next version in its name above, and its old self stands here.
RETIRED: Sequence[Retired] = ()

CURRENT = Topology(EXCHANGES, QUEUES, BINDINGS, RETIRED)
