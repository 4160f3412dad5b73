"""How much memory a whole certpipe holds: idle, and under many large uploads at once."""

import asyncio
import base64
import io
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.installation import Installation

CONTENT = os.urandom(1000) * 10_000
AT_ONCE = 64
MIB = 1024
"""KiB, in which the kernel counts."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def kibibytes(pid: int, field: str) -> int:
    """A line of `/proc/<pid>/status`: VmRSS is what it holds now, VmHWM the most that it ever held."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    running = await Installation(tmp_path / "data").start()
    yield running
    assert await running.stop() == 0, running.log


def own_processes(pid: int) -> list[int]:
    """The process and what it started, but for the servers, which are not certpipe's code."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(found for child in children for found in own_processes(int(child)))]


def large_form(party: str) -> aiohttp.FormData:
    form = aiohttp.FormData()
    for name in ("certificate", "private_key"):
        form.add_field(name, io.BytesIO(CONTENT), filename="large.bin")
    for name, value in (("password", "x"), ("party_id", party), ("kind", "csd")):
        form.add_field(name, value)
    return form


def large_json(party: str) -> bytes:
    content = base64.b64encode(CONTENT)
    rest = f'"password": "x", "party_id": "{party}", "kind": "csd"'.encode()
    return b'{"certificate": "%b", "private_key": "%b", %b}' % (content, content, rest)


async def send(http: aiohttp.ClientSession, data: aiohttp.FormData | io.BytesIO) -> int:
    """The status of the answer, which is always one, whatever it says."""
    headers = {"Content-Type": "application/json"} if isinstance(data, io.BytesIO) else {}
    async with http.post("/v1/uploads", headers=headers, data=data) as answer:
        assert (await answer.json(content_type=None))["code"], "a problem has a code"
        return answer.status


async def test_idle_it_is_small_and_large_uploads_at_once_do_not_make_it_large(installation: Installation) -> None:
    idle = sum(kibibytes(pid, "VmRSS") for pid in own_processes(installation.pid))
    assert idle < 200 * MIB, f"{idle // MIB} MiB"
    party = installation.dev["parties"]["csd"]
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(
        installation.dev["url"],
        connector=connector,
        headers={"Authorization": f"Bearer {installation.dev['token']}"},
        timeout=aiohttp.ClientTimeout(total=200),
        trust_env=False,
    ) as http:
        text = large_json(party)
        bodies = [io.BytesIO(text) if number % 2 else large_form(party) for number in range(AT_ONCE)]
        statuses = Counter(await asyncio.gather(*(send(http, body) for body in bodies)))
    most = kibibytes(installation.pid, "VmHWM")
    sys.stdout.write(f"idle {idle // MIB} MiB, most {most // MIB} MiB, answers {dict(statuses)}\n")
    assert set(statuses) <= {400, 413, 503}, statuses
    assert most < 512 * MIB, f"{most // MIB} MiB"
