"""RabbitMQ and the in-process broker behind one port."""

from typing import TYPE_CHECKING

from certpipe.broker.inprocess import InProcessBroker
from certpipe.core.clock import Clock

if TYPE_CHECKING:
    from certpipe.broker.amqp import AmqpBroker


def open_broker(url: str | None, *, role: str, clock: Clock) -> "AmqpBroker | InProcessBroker":
    """The broker at `url`, or one within this process when there is none.

    Must be called within a running event loop. Connecting goes on in the background and for ever; `wait_ready` of what
    is returned tells when it came about. `role` names the connections (`certpipe.<role>.publish`).
    """
    if url is None:
        return InProcessBroker()
    from certpipe.broker.amqp import AmqpBroker  # noqa: PLC0415 - the embedded default does not pay 10 MB for aio_pika

    return AmqpBroker(url, role=role, clock=clock)
