"""Serving the application on a socket, until it is time to stop."""

import asyncio
import socket
from dataclasses import dataclass

from aiohttp import web

from certpipe.ingress.wirelog import wire_logger

SECONDS_TO_FINISH = 30.0


@dataclass(frozen=True, slots=True)
class HttpServer:
    """Finishes the requests under way when it is told to stop; takes no new ones."""

    app: web.Application
    listener: socket.socket

    async def run(self, stopping: asyncio.Event) -> None:
        """Serve until `stopping` is set."""
        runner = web.AppRunner(
            self.app,
            access_log=None,
            logger=wire_logger(),
            auto_decompress=False,
            handler_cancellation=False,
            shutdown_timeout=SECONDS_TO_FINISH,
            max_line_size=16_384,
        )
        await runner.setup()
        try:
            await web.SockSite(runner, self.listener).start()
            await stopping.wait()
        finally:
            await runner.cleanup()
