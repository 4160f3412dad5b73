"""The example producers against a real RabbitMQ: what arrives, who sent it, and what they make of the answer."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import aio_pika
import pytest
from aiohttp import web

from certpipe.broker import topology
from certpipe.broker.connection import connect
from certpipe.broker.declare import apply
from certpipe.crypto.keymaking import init_keys
from certpipe.crypto.sealing import SealingKeys
from schemas.status import ProblemView
from schemas.upload import UploadMessage, UploadReply
from tests.languages import EXAMPLES, LANGUAGES, Language, fault

pytestmark = pytest.mark.timeout(600)  # a language may have to be installed first
PATIENCE = 90.0


async def run(*command: str, **environment: str) -> tuple[int, bytes, bytes]:
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=EXAMPLES,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE):
            output, errors = await process.communicate(b"password")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, output, errors


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> Language:
    if said := fault(LANGUAGES[request.param]):
        pytest.skip(said)
    return LANGUAGES[request.param]


class Certpipe:
    """The route and the answers that a producer meets."""

    def __init__(self, folder: Path, reply: dict[str, Any]) -> None:
        init_keys(folder / "keys")
        self._document = SealingKeys.from_folder(folder / "keys").document.model_dump(mode="json")
        self._reply = reply
        self.heard: list[aio_pika.abc.AbstractIncomingMessage] = []

    async def keys(self, _: web.Request) -> web.Response:
        return web.json_response(self._document)

    async def listen(self, channel: aio_pika.abc.AbstractChannel) -> None:
        self._channel = channel
        await (await channel.get_queue(topology.UPLOADS_QUEUE)).consume(self._answer)

    async def _answer(self, message: aio_pika.abc.AbstractIncomingMessage) -> None:
        self.heard.append(message)
        for correlation_id in ("of-somebody-else", message.correlation_id):
            reply = aio_pika.Message(json.dumps(self._reply).encode(), correlation_id=correlation_id)
            await self._channel.default_exchange.publish(reply, routing_key=message.reply_to or "")
        await message.ack()


async def produce(language: Language, amqp_url: str, certpipe: Certpipe, folder: Path) -> tuple[int, bytes, bytes]:
    for name in ("my.cer", "my.key"):
        (folder / name).write_bytes(name.encode())
    app = web.Application()
    app.router.add_get("/v1/sealing-keys", certpipe.keys)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        options = {"certpipe": f"http://127.0.0.1:{port}", "organization": uuid4(), "party": uuid4(), "kind": "csd"}
        files = {"certificate": folder / "my.cer", "key": folder / "my.key"}
        arguments = [f"--{name}={value}" for name, value in {**options, **files}.items()]
        return await run(*language.command, *arguments, AMQP_URL=amqp_url)
    finally:
        await runner.cleanup()


ACCEPTED = UploadReply(accepted=True, upload_id=uuid4())
REFUSED = UploadReply(accepted=False, problems=(ProblemView(code="x", message_es="ñ", message_en="n"),))


@pytest.mark.parametrize(("reply", "code"), [(ACCEPTED, 0), (REFUSED, 1)], ids=["accepted", "refused"])
async def test_an_example_publishes_as_the_contract_says_and_prints_its_answer(
    language: Language, amqp_url: str, tmp_path: Path, reply: UploadReply, code: int
) -> None:
    await apply(amqp_url)
    certpipe = Certpipe(tmp_path, reply.model_dump(mode="json"))
    async with await connect(amqp_url, name="examples.test") as connection:
        await certpipe.listen(await connection.channel())
        ended, output, errors = await produce(language, amqp_url, certpipe, tmp_path)
    assert ended == code, errors.decode()
    assert UploadReply.model_validate_json(output) == reply
    (heard,) = certpipe.heard
    message = UploadMessage.model_validate_json(heard.body)
    assert heard.correlation_id == str(message.upload_id)
    assert heard.delivery_mode is aio_pika.DeliveryMode.PERSISTENT
    assert heard.content_type == "application/json"
    assert heard.user_id
    assert (heard.exchange, heard.routing_key) == (topology.UPLOADS, topology.UPLOADS_KEY)


async def test_an_example_fails_when_nobody_takes_its_message(
    language: Language, amqp_url: str, tmp_path: Path
) -> None:
    """The exchange is there and the queue is not bound: only a mandatory publish notices."""
    async with await connect(amqp_url, name="examples.test") as connection:
        await (await connection.channel()).declare_exchange(topology.UPLOADS, durable=True)
    ended, output, errors = await produce(language, amqp_url, Certpipe(tmp_path, {}), tmp_path)
    assert ended != 0
    assert b"not routed" in errors or b"UnroutableError" in errors
    assert not output
