"""The command line, a whole certpipe and a receiver: what is listened to is what is delivered."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from certpipe.core.clock import SystemClock
from tests.installation import Installation
from tests.integration.cli.receivers import Received, careful, receiver
from tests.integration.cli.test_terminal import PROGRAM, environment

PATIENCE = 120
STEPS = [
    "upload.received",
    "upload.validated",
    "upload.encrypted",
    "certificate.stored",
    "destination.forwarded",
    "certificate.forwarded",
]


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    installation = await Installation(tmp_path / "data").start()
    yield installation
    assert await installation.stop() == 0, installation.log


async def started(installation: Installation, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *PROGRAM,
        *arguments,
        cwd=installation.folder.parent,
        env=environment(CERTPIPE_DATA_DIR=str(installation.folder), PYTHONUNBUFFERED="1"),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def run(installation: Installation, *arguments: str) -> Any:
    """The JSON that a command prints that must end well."""
    async with asyncio.timeout(PATIENCE):
        program = await started(installation, *arguments, "--json")
        told, complaint = await program.communicate()
    assert program.returncode == 0, (arguments, told, complaint)
    return json.loads(told)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await SystemClock().wait(0.05)


def types_at(there: Received) -> list[str]:
    return [json.loads(body)["type"] for _, body in there.deliveries]


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_what_is_listened_to_is_what_a_verifying_receiver_gets(installation: Installation) -> None:
    folder, demo = installation.folder.parent, installation.folder / "demo"
    (folder / "headers").write_text("X-Api-Key: hunter2\n")
    with receiver(careful(folder / "secret")) as there:
        said = ("--headers-file", "headers", "--secret-file", "secret")
        endpoint = (await run(installation, "webhooks", "add", there.url, *said))["id"]
        ping = await run(installation, "webhooks", "ping", endpoint)
        assert [attempt["status"] for attempt in ping["attempts"]] == [204]

        listening = await started(installation, "listen", "--json")
        assert listening.stdout
        assert listening.stderr
        async with asyncio.timeout(PATIENCE):
            assert b"listening" in await listening.stderr.readline()
            pair = (str(demo / "fiel.cer"), str(demo / "fiel.key"), "--password-file", str(demo / "password.txt"))
            assert (await run(installation, "upload", *pair))["state"] == "forwarded"
            heard = [json.loads(await listening.stdout.readline()) for _ in STEPS]
            os.kill(listening.pid, signal.SIGINT)
            assert await listening.wait() == 130
        assert [event["type"] for event in heard] == STEPS

        wanted = {event["id"]: event for event in heard}
        await until(lambda: wanted.keys() <= {headers["webhook-id"] for headers, _ in there.deliveries})
        delivered = {headers["webhook-id"]: json.loads(body) for headers, body in there.deliveries}
        assert delivered == {ping["event_id"]: delivered[ping["event_id"]], **wanted}
        assert {headers["x-api-key"] for headers, _ in there.deliveries} == {"hunter2"}

        log = await run(installation, "webhooks", "deliveries", endpoint)
        stored = next(item["id"] for item in log["items"] if item["type"] == "certificate.stored")
        await run(installation, "webhooks", "replay", endpoint, str(stored))
        await until(lambda: types_at(there).count("certificate.stored") >= 2)

    changed = await run(installation, "webhooks", "change", endpoint, "--type", "upload.failed", "--no-headers")
    assert (changed["types"], changed["headers"]) == (["upload.failed"], [])
    with receiver(careful(folder / "another")) as there:
        rotate = ("rotate", endpoint, "--overlap-hours", "0", "--secret-file", "another")
        await run(installation, "webhooks", *rotate)
        await run(installation, "webhooks", "change", endpoint, "--address", there.url)
        await run(installation, "webhooks", "ping", endpoint)
        assert set(types_at(there)) == {"endpoint.ping"}
    await run(installation, "webhooks", "remove", endpoint)
    assert await run(installation, "webhooks", "list") == {"items": []}
