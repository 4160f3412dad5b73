"""`python -m tests.chaos.launcher ROLE…`: a role of production, or several in one process, up to mischief."""

import asyncio
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Final

from certpipe.broker.declare import verify
from certpipe.core.errors import Unavailable
from certpipe.observability import configure
from certpipe.process import Role, Service, opened, read_settings, run, serve, stop_on_signals
from tests.chaos.crooked import crooked, shift_clock
from tests.chaos.mischief import VARIABLE, Mischief
from workers import encrypt, forward, ingress, notify, persist, sweeper, validate

ROLES: Final[Mapping[str, Role]] = {
    "ingress": ingress.role,
    "validate": validate.role,
    "encrypt": encrypt.role,
    "persist": persist.role,
    "forward": forward.role,
    "notify": notify.role,
    "sweeper": sweeper.role,
}


async def life(names: Sequence[str], mischief: Mischief) -> None:
    """Until a signal, or until the fatal point."""
    settings = read_settings()
    configure(role="-".join(names) if len(names) < len(ROLES) else "all", level=settings.log_level)
    assert settings.database_url is not None
    if mischief.ahead:
        shift_clock(mischief.ahead)
    amqp_url = settings.amqp_url.get_secret_value() if settings.amqp_url else None
    if amqp_url:
        with suppress(Unavailable):
            await verify(amqp_url)
    stopping = asyncio.Event()
    stop_on_signals(stopping)
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(
            opened(settings, role=names[0], database_url=settings.database_url.get_secret_value(), amqp_url=amqp_url)
        )
        process = crooked(process, mischief)
        services: list[Service] = []
        for name in names:
            services += await stack.enter_async_context(ROLES[name](process))
        if amqp_url is None:
            await process.backlog.redrive()  # what waited in the memory of the process before
        await serve(services, stopping)
    logging.shutdown()


if __name__ == "__main__":
    run(sys.argv[1], life(sys.argv[1:], Mischief.load(os.environ.get(VARIABLE))))
