"""Serving the application on a socket, until it is time to stop."""

import asyncio
import socket
from dataclasses import dataclass

from aiohttp import web

from certpipe.core.hygiene import may_open_many
from certpipe.ingress.heads import BoundedHandler
from certpipe.ingress.wirelog import wire_logger

SECONDS_TO_FINISH = 30.0
MOST_LINE_BYTES = 16_384
BACKLOG = 1_024


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
