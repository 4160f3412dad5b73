"""All four stages in one process: on a machine of two cores two of these do the work of production's four."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from certpipe.process import Process, Service, main
from workers import encrypt, forward, persist, validate


@asynccontextmanager
async def role(process: Process) -> AsyncIterator[Sequence[Service]]:
    """The roles of validate, encrypt, persist and forward, as production's processes open them."""
    async with AsyncExitStack() as stack:
        services: list[Service] = []
        for opened in (validate.role, encrypt.role, persist.role, forward.role):
            services += await stack.enter_async_context(opened(process))
        yield services


if __name__ == "__main__":
    main("bench", role)
