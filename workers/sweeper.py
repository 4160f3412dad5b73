"""Publishes what is due, and buries what died. Holds nothing that opens anything."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from certpipe.broker.topology import DEAD_QUEUE, WORK
from certpipe.process import Process, Service, main
from certpipe.runtime.isolator import Isolator
from certpipe.runtime.parker import Parker
from certpipe.runtime.sweeper import Sweeper
from certpipe.store.dead import StoreDeadLetters


@asynccontextmanager
async def role(process: Process) -> AsyncIterator[Sequence[Service]]:
    """The sweeper, the isolator of suspects and the parker of dead letters."""
    yield [
        Sweeper(
            backlog=process.backlog,
            dispatcher=process.dispatcher,
            publisher=process.broker.publisher,
            clock=process.clock,
        ),
        Isolator(
            suspects=process.suspects,
            publisher=process.broker.publisher,
            exchange=WORK,
            clock=process.clock,
        ),
        Parker(
            inbox=process.broker.inbox(DEAD_QUEUE, prefetch=64),
            graveyard=StoreDeadLetters(process.database),
            suspects=process.suspects,
            clock=process.clock,
        ),
    ]


if __name__ == "__main__":
    main("sweeper", role)
