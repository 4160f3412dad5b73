"""The broker, as little of it as is needed: publish confirmed, receive, settle."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """What is published, always persistent.

    `mandatory`: that no queue takes it is a failure. Only an event that nobody may have asked for is not.
    `message_id`: None lets the adapter make one for each publish. What is mandatory must leave it so, as adapters tell
    what came back by it.
    """

    exchange: str
    routing_key: str
    body: bytes = field(repr=False)
    correlation_id: str | None = None
    content_type: str = "application/json"
    mandatory: bool = True
    message_id: str | None = None


class Publisher(Protocol):
    """The publishing half of a broker."""

    async def publish(self, messages: Sequence[Message], /) -> None:
        """Publish all, pipelined; return when every one is routed and confirmed.

        Raises `Unavailable` when at least one was not (any of them may have arrived all the same: consumers are
        idempotent). Never waits longer than the adapter's timeout, ten seconds by default.
        """

    @property
    def ready(self) -> bool:
        """False while the broker is known to be away, so that callers need not try."""


class Settlement(Enum):
    """The ends of a delivery."""

    ACK = auto()
    REQUEUE = auto()
    DEAD_LETTER = auto()


@dataclass(frozen=True, slots=True)
class Death:
    """How a message came to the dead letters: from which queue, and why (`rejected`, `delivery_limit`)."""

    queue: str
    reason: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivered message. `count`: how often the broker delivered it before (0 the first time).

    `death`: its first, where a broker of ours buried it; nobody but the broker is to be believed about that.
    """

    body: bytes = field(repr=False)
    count: int
    token: object = field(repr=False)
    reply_to: str | None = None
    correlation_id: str | None = None
    user_id: str | None = None
    content_type: str | None = None
    message_id: str | None = None
    death: Death | None = None


class Inbox(Protocol):
    """A consumer of one queue. The adapter reconnects by itself, for ever, with backoff and jitter."""

    async def receive(self, limit: int) -> Sequence[Delivery]:
        """Wait for at least one delivery, then return what is there at once, at most `limit`.

        An empty answer means that the inbox was stopped and holds no more.
        """

    async def settle(self, deliveries: Sequence[Delivery], settlement: Settlement) -> None:
        """End these deliveries; contiguous acks are one. A delivery of a connection that is gone is dropped silently:
        the broker delivers it again.
        """

    def holds(self, delivery: Delivery) -> bool:
        """Whether its end is still to come from here: it was not settled, and its connection is there.

        Where it is not, the broker has it again, or delivers it again: whatever is done about this one is done twice.
        """

    async def stop(self) -> None:
        """Receive nothing new; deliveries that were already received can still be settled. Idempotent."""


class Broker(Protocol):
    """A connection to a broker, both halves apart."""

    publisher: Publisher

    def inbox(self, queue: str, *, prefetch: int) -> Inbox:
        """A consumer of `queue`, started."""

    async def close(self) -> None:
        """Stop every inbox, flush, close. Idempotent."""
