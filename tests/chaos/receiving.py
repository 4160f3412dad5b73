"""Receivers of webhooks that fail, and hang, as often as they are told to; and remember what they took."""

import asyncio
import random
import re
from collections import Counter
from dataclasses import dataclass, field

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
_ID = re.compile(rb"\r\nwebhook-id: *([A-Za-z0-9_]+)", re.IGNORECASE)
TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"
FAILED = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 6\r\n\r\nbroken"


@dataclass
class Receiver:
    """One endpoint. `taken` counts what was answered by 204, by event id; `asked` every request."""

    seed: int
    fails: float = 0.0
    hangs: float = 0.0
    taken: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    port: int = 0
    open: set[asyncio.Transport] = field(default_factory=set)
    _server: asyncio.Server | None = None

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311 - a repeatable misfortune, not a secret

    async def start(self) -> None:
        """Listen on a free port of the loopback."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for transport in list(self.open):
            transport.abort()
        await self._server.wait_closed()

    def answer(self, event_id: str) -> bytes | None:
        """None: never."""
        self.asked += 1
        luck = self._chance.random()
        if luck < self.hangs:
            return None
        if luck < self.hangs + self.fails:
            return FAILED
        self.taken[event_id] += 1
        return TAKEN


class _Connection(asyncio.Protocol):
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._receiver.open.add(transport)

    def connection_lost(self, _error: Exception | None) -> None:
        assert self._transport is not None
        self._receiver.open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length, event = _LENGTH.search(head), _ID.search(head)
        assert length is not None
        assert event is not None
        if len(rest) < int(length[1]):
            return
        self._buffer = rest[int(length[1]) :]
        answer = self._receiver.answer(event[1].decode())
        if answer is not None and self._transport is not None:
            self._transport.write(answer)
