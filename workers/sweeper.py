"""Publishes what is due. Holds nothing that opens anything."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from certpipe.process import Process, Service, main
from certpipe.runtime.sweeper import Sweeper


@asynccontextmanager
async def role(process: Process) -> AsyncIterator[Sequence[Service]]:
    """The sweeper."""
    yield [
        Sweeper(
            backlog=process.backlog,
            dispatcher=process.dispatcher,
            publisher=process.broker.publisher,
            clock=process.clock,
        )
    ]


if __name__ == "__main__":
    main("sweeper", role)
