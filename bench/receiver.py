"""A receiver of webhooks as fast as Python makes one: raw protocols that answer 204, one port for each endpoint.

It tells its ports, and then, for each line that it is given, how much has come since the line before: the number of
requests, when the first and the last came, and with `ids` when each event came first.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field

_ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_LENGTH, _ID = b"\r\ncontent-length: ", b"\r\nwebhook-id: "


@dataclass(slots=True)
class Seen:
    """What has come; times are of the machine's clock."""

    count: int = 0
    first: float = 0.0
    last: float = 0.0
    at: dict[str, float] = field(default_factory=dict)

    def add(self, event_id: str) -> None:
        """One request."""
        self.last = time.time()
        self.first = self.first or self.last
        self.count += 1
        self.at.setdefault(event_id, self.last)

    def told(self, *, ids: bool) -> str:
        """As JSON, and forgotten."""
        document = {"count": self.count, "distinct": len(self.at), "first": self.first, "last": self.last}
        text = json.dumps({**document, "at": self.at} if ids else document)
        self.count, self.first, self.last, self.at = 0, 0.0, 0.0, {}
        return text


class Connection(asyncio.Protocol):
    """One request after another, each answered when its body has come."""

    def __init__(self, seen: Seen) -> None:
        self._seen = seen
        self._bytes = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        while (end := self._bytes.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._bytes[:end]).lower() + b"\r\n"
            whole = end + 4 + int(_field(head, _LENGTH))
            if len(self._bytes) < whole:
                return
            del self._bytes[:whole]
            self._seen.add(_field(head, _ID).decode())
            self._transport.write(_ANSWER)


def _field(head: bytes, name: bytes) -> bytes:
    start = head.index(name) + len(name)
    return head[start : head.index(b"\r\n", start)]


async def _main(ports: int) -> None:
    loop, seen = asyncio.get_running_loop(), Seen()
    servers = [await loop.create_server(lambda: Connection(seen), "127.0.0.1", 0) for _ in range(ports)]
    _write(json.dumps([server.sockets[0].getsockname()[1] for server in servers]))
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        _write(seen.told(ids=bool(json.loads(line).get("ids"))) if json.loads(line).get("take") else str(seen.count))


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
