"""`certpipe simulate`: a simulated PAC in the foreground."""

import asyncio
import json
import os
import signal
from typing import Annotated

import typer

from certpipe.cli.failure import CommandError
from certpipe.simulators.sw import start_simulator


def simulate(
    *,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="The port; 0 takes a free one.")] = 8490,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Run SW Sapien and Efisco as one simulated server until Ctrl-C or SIGTERM.

    It takes any user and password. Faults: PUT /_faults. What arrived: GET /_received.
    """
    asyncio.run(_serve(host, port, as_json=as_json))


async def _serve(host: str, port: int, *, as_json: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        simulator = await start_simulator(host, port)
    except OSError as error:
        # Without the address, which the library adds to the text of the error.
        reason = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else "no such address"
        raise CommandError(
            f"cannot listen on {host}:{port}: {reason}.",
            hint="another program may hold the port: choose another with --port, or --port 0 for a free one.",
        ) from error
    try:
        if as_json:
            typer.echo(json.dumps({"url": simulator.url}))
        else:
            typer.echo(f"The simulated PAC (SW Sapien and Efisco) listens on {simulator.url}; Ctrl-C stops it.")
        await stop.wait()
    finally:
        await simulator.stop()
