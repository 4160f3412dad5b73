"""Serving the application on a socket, until it is time to stop."""

import asyncio
import resource
import socket
from dataclasses import dataclass

from aiohttp import web

from certpipe.ingress.heads import BoundedHandler
from certpipe.ingress.wirelog import wire_logger

SECONDS_TO_FINISH = 30.0
MOST_LINE_BYTES = 16_384
BACKLOG = 1_024


def may_open_many() -> None:
    """Let this process have as many sockets as it may: who listens for events keeps one for as long.

    The usual soft limit of 1,024 is there for programs that call `select`, which cannot take more; none here does.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


@dataclass(frozen=True, slots=True)
class HttpServer:
    """Finishes the requests under way when it is told to stop; takes no new ones."""

    app: web.Application
    listener: socket.socket

    async def run(self, stopping: asyncio.Event) -> None:
        """Serve until `stopping` is set."""
        may_open_many()
        loop = asyncio.get_running_loop()
        runner = web.AppRunner(self.app, handler_cancellation=False, shutdown_timeout=SECONDS_TO_FINISH)
        await runner.setup()
        manager = runner.server

        def handler() -> asyncio.Protocol:
            return BoundedHandler(
                manager,
                loop=loop,
                access_log=None,
                logger=wire_logger(),
                auto_decompress=False,
                max_line_size=MOST_LINE_BYTES,
            )

        server = None
        try:
            server = await loop.create_server(handler, sock=self.listener, backlog=BACKLOG)
            await stopping.wait()
        finally:
            if server is not None:
                server.close()
            await runner.cleanup()
