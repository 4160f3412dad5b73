"""What a listener costs: memory of the process, and how soon an event has come to all.

`CERTPIPE_TEST_LISTENERS=10000` measures so many; the limit for all of them together is 300 MiB.
"""

import asyncio
import os
import resource
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from certpipe.core.hygiene import may_open_many
from tests.installation import Installation

LISTENERS = int(os.environ.get("CERTPIPE_TEST_LISTENERS", "1000"))
MOST_BYTES_EACH = 12 * 1024
PATIENCE = 120
AT_ONCE = 200


class Client(asyncio.Protocol):
    """One who listens: remembers only which events came."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self.events, self.heard, self.lost = 0, False, False
        self._changed = changed

    def data_received(self, data: bytes) -> None:
        self.heard = self.heard or b"retry: 2000" in data
        self.events += data.count(b"\nevent: ")
        self._changed()

    def connection_lost(self, _: Exception | None) -> None:
        self.lost = True
        self._changed()


class Crowd:
    """Many who listen, in this process."""

    def __init__(self, installation: Installation) -> None:
        self._address = urlsplit(installation.dev["url"])
        token = installation.dev["token"]
        self._request = f"GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        self.clients: list[Client] = []
        self._transports: list[asyncio.Transport] = []
        self._changed = asyncio.Event()

    async def gather(self, count: int) -> None:
        """So many more come, and each hears that it listens."""
        while count > 0:
            some = [self._come() for _ in range(min(AT_ONCE, count))]
            await asyncio.gather(*some)
            await self.until(lambda: all(client.heard for client in self.clients[-AT_ONCE:]))
            count -= len(some)

    async def _come(self) -> None:
        transport, client = await asyncio.get_running_loop().create_connection(
            lambda: Client(self._changed.set), self._address.hostname, self._address.port
        )
        transport.write(self._request)
        self.clients.append(client)
        self._transports.append(transport)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    def leave(self) -> None:
        for transport in self._transports:
            transport.abort()


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    started = await Installation(tmp_path / "data").start()
    yield started
    assert await started.stop() == 0, started.log


@pytest.fixture
def many_sockets() -> None:
    """As many as this process may have."""
    may_open_many()
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < LISTENERS + 500:
        pytest.skip(f"this machine allows {most} sockets for one process")


def memory(installation: Installation) -> int:
    """The resident bytes of the process."""
    status = Path(f"/proc/{installation.pid}/status")
    if not status.exists():
        pytest.skip("no /proc here")
    (line,) = [each for each in status.read_text(encoding="ascii").splitlines() if each.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


async def _tell(installation: Installation, http: aiohttp.ClientSession) -> None:
    """Make an event: an entry of the organization gets something that is no certificate."""
    party = "0199b0c2-5a00-7000-8000-0000000000ab"
    body = {"organization_id": str(installation.organization_id), "kind": "branch", "rfc": "EKU9003173C9", "name": "X"}
    async with http.put(f"/v1/parties/{party}", json=body) as answer:
        assert answer.status in {200, 201}, await answer.text()
    upload = {"certificate": "eA==", "private_key": "eA==", "password": "x", "party_id": party, "kind": "csd"}
    async with http.post("/v1/uploads", json=upload) as answer:
        assert answer.status == 202, await answer.text()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("many_sockets")
async def test_many_listen_in_little_memory_and_all_hear_soon(
    installation: Installation, record_property: Callable[[str, object], None]
) -> None:
    crowd = Crowd(installation)
    try:
        async with installation.client() as http:
            await crowd.gather(20)
            await _tell(installation, http)
            await crowd.until(lambda: all(client.events >= 2 for client in crowd.clients))
            before = memory(installation)
            started = time.perf_counter()
            await crowd.gather(LISTENERS - 20)
            record_property("seconds_to_come", time.perf_counter() - started)
            idle = memory(installation)
            heard = {client: client.events for client in crowd.clients}
            started = time.perf_counter()
            await _tell(installation, http)
            async with http.get("/livez") as answer:
                assert answer.status == 200
            record_property("seconds_to_answer", time.perf_counter() - started)
            await crowd.until(lambda: all(client.events > heard[client] for client in crowd.clients))
            record_property("seconds_to_all", time.perf_counter() - started)
            await crowd.until(lambda: all(client.events >= heard[client] + 2 for client in crowd.clients))
            after = memory(installation)
            record_property("bytes_before", before)
            record_property("bytes_idle", idle)
            record_property("bytes_after", after)
        assert not any(client.lost for client in crowd.clients)
        assert (after - before) / LISTENERS < MOST_BYTES_EACH
        if LISTENERS >= 10_000:
            assert after < 300 * 1024 * 1024
    finally:
        crowd.leave()
