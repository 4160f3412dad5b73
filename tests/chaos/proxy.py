"""Stands between a client and a server, and cuts, swallows, or does so exactly around a commit."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

Target = tuple[str, int] | Path
_SYNC = b"S\x00\x00\x00\x04"
_COMMIT = b"COMMIT;\x00"


@dataclass(eq=False)
class _Pair:
    """One connection and its other half. `silent`: nothing goes through any more, and nobody is told."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    silent: bool = False
    doomed: bool = False

    def cut(self) -> None:
        for writer in (self.client, self.server):
            writer.transport.abort()


@dataclass
class Proxy:
    """Listens on a port of its own; each connection goes to the first target that takes it.

    Attributes:
        hole: while it is set, new connections are silent too.
        cutting: the share of the statements after which the connection is cut: by turns before the server gets them,
            and after it has executed them, before the client hears of it.
    """

    targets: Sequence[Target]
    chance: random.Random
    hole: bool = False
    cutting: float = 0.0
    cuts: int = 0
    port: int = 0
    _pairs: set[_Pair] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def swallow(self) -> None:
        """From now on the connections that there are get nothing through, and are never closed by us."""
        for pair in self._pairs:
            pair.silent = True

    def cut(self) -> None:
        """Reset all connections."""
        for pair in list(self._pairs):
            pair.cut()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for target in self.targets:
            with suppress(OSError):
                there, back = await _open(target)
                break
        else:
            writer.transport.abort()
            return
        pair = _Pair(writer, back, silent=self.hole)
        self._pairs.add(pair)
        tasks = [asyncio.create_task(self._forth(reader, pair)), asyncio.create_task(self._back(there, pair))]
        self._tasks.update(tasks)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED if not pair.silent else asyncio.ALL_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
                self._tasks.discard(task)
            pair.cut()
            self._pairs.discard(pair)

    async def _forth(self, source: asyncio.StreamReader, pair: _Pair) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                if pair.silent:
                    continue
                if self.cutting and data.endswith((_SYNC, _COMMIT)) and self.chance.random() < self.cutting:
                    self.cuts += 1
                    if self.cuts % 2:
                        pair.cut()
                        return
                    pair.doomed = True
                pair.server.write(data)
                await pair.server.drain()

    @staticmethod
    async def _back(source: asyncio.StreamReader, pair: _Pair) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                if pair.doomed:
                    pair.cut()
                    return
                if not pair.silent:
                    pair.client.write(data)
                    await pair.client.drain()


async def _open(target: Target) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if isinstance(target, Path):
        return await asyncio.open_unix_connection(str(target))
    return await asyncio.open_connection(*target)
