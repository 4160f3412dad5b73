"""A whole certpipe: what goes in at a door comes out at the PAC byte for byte, on both brokers."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import aio_pika
import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from certpipe.core.bundle import Bundle
from certpipe.core.clock import SystemClock
from certpipe.core.ids import uuid7
from certpipe.core.uploads import BoxBinding
from certpipe.crypto.sealing import HpkeSealer
from schemas.upload import ClearBundle, SealedBundle, UploadMessage
from tests.installation import Installation
from tests.samples import CSD_NUMBER, FIEL_NUMBER, Pair, pair


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Installation]:
    """In-process broker and PostgreSQL of its own."""
    installation = await Installation(tmp_path / "data").start()
    yield installation
    assert await installation.stop() == 0, installation.log


@pytest.fixture
async def on_servers(tmp_path: Path, amqp_url: str, database_url: str) -> AsyncIterator[Installation]:
    """The real RabbitMQ and a PostgreSQL that was there before."""
    installation = Installation(tmp_path / "data", CERTPIPE_AMQP_URL=amqp_url, CERTPIPE_DATABASE_URL=database_url)
    yield await installation.start()
    assert await installation.stop() == 0, installation.log


def form(sample: Pair, party_id: str) -> aiohttp.FormData:
    fields = aiohttp.FormData()
    fields.add_field("certificate", sample.certificate, filename="a.cer")
    fields.add_field("private_key", sample.private_key, filename="a.key")
    for name, value in [("password", sample.password), ("party_id", party_id), ("kind", sample.kind)]:
        fields.add_field(name, value)
    return fields


async def assert_received(installation: Installation, sample: Pair, times: int) -> None:
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{installation.dev['simulator_url']}/_received", params={"number": sample.number}) as answer,
    ):
        receipts = (await answer.json())["items"]
    assert len(receipts) == times
    for receipt in receipts:
        assert (receipt["kind"], receipt["rfc"]) == (sample.kind, sample.rfc)
        assert receipt["sha256"] == {
            "certificate": sha256(sample.certificate).hexdigest(),
            "private_key": sha256(sample.private_key).hexdigest(),
            "password": sha256(sample.password.encode()).hexdigest(),
        }


async def upload_by_http(installation: Installation, sample: Pair) -> dict[str, Any]:
    party = installation.dev["parties"][sample.kind]
    async with (
        installation.client() as http,
        http.post("/v1/uploads", data=form(sample, party), headers={"Prefer": "wait=30"}) as answer,
    ):
        status: dict[str, Any] = await answer.json()
        assert answer.status == 200, status
    return status


async def test_both_kinds_by_http_on_the_embedded_servers(embedded: Installation) -> None:
    for sample in (pair(CSD_NUMBER), pair(FIEL_NUMBER)):
        status = await upload_by_http(embedded, sample)
        assert status["state"] == "forwarded", status
        assert status["certificate"]["number"] == sample.number
        await assert_received(embedded, sample, 1)


async def test_both_kinds_by_both_doors_on_rabbitmq(on_servers: Installation) -> None:
    for sample in (pair(CSD_NUMBER), pair(FIEL_NUMBER)):
        assert (await upload_by_http(on_servers, sample))["state"] == "forwarded"
        for sealed in (True, False):
            assert (await upload_by_amqp(on_servers, sample, sealed=sealed))["state"] == "forwarded"
        await assert_received(on_servers, sample, 3)


async def test_a_message_that_makes_no_sense_is_answered_and_kept(on_servers: Installation, amqp_url: str) -> None:
    reply = await publish(on_servers, b'{"version": 1, "party_id": "nonsense", "clear": {"password": "hunter2"}}')
    assert not reply["accepted"]
    connection = await aio_pika.connect(amqp_url)
    async with connection:
        channel = await connection.channel()
        work = await channel.get_exchange("certpipe.work", ensure=False)
        await work.publish(aio_pika.Message(b"no JSON, hunter2"), "persist")
    letters = await dead_letters(on_servers, 2)
    assert "hunter2" not in json.dumps(letters)
    by_reason = {letter["reason"]: letter for letter in letters}
    assert by_reason["refused"]["code"] == reply["problems"][0]["code"] == "malformed_message"
    assert by_reason["refused"]["message"]["party_id"] == "nonsense"
    assert by_reason["malformed"]["stage"] == "persist"
    assert by_reason["malformed"]["message"]["queue"] == "certpipe.persist.v1"


async def dead_letters(installation: Installation, count: int) -> list[dict[str, Any]]:
    """The open ones, as soon as there are so many."""
    async with installation.client() as http, asyncio.timeout(60):
        while True:
            async with http.get("/v1/dead", params={"state": "open"}) as answer:
                letters: list[dict[str, Any]] = (await answer.json())["items"]
            if len(letters) >= count:
                return letters
            await SystemClock().wait(0.1)


async def upload_by_amqp(installation: Installation, sample: Pair, *, sealed: bool) -> dict[str, Any]:
    upload_id = uuid7()
    message = await producers_message(installation, sample, str(upload_id), sealed=sealed)
    reply = await publish(installation, message.model_dump_json().encode())
    assert reply["accepted"], reply
    async with installation.client() as http, http.get(f"/v1/uploads/{upload_id}", params={"wait": "30"}) as answer:
        status: dict[str, Any] = await answer.json()
    return status


async def producers_message(installation: Installation, sample: Pair, upload_id: str, *, sealed: bool) -> UploadMessage:
    party = installation.dev["parties"][sample.kind]
    fields = {"upload_id": upload_id, "party_id": party, "kind": sample.kind}
    if not sealed:
        clear = ClearBundle(
            certificate=base64.b64encode(sample.certificate).decode(),
            private_key=base64.b64encode(sample.private_key).decode(),
            password=sample.password,
        )
        return UploadMessage.model_validate({**fields, "clear": clear.model_dump()})
    async with installation.client() as http, http.get("/v1/sealing-keys") as answer:
        document = await answer.json()
    key = next(key for key in document["keys"] if key["kid"] == document["current"])
    public = X25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "="))
    message = UploadMessage.model_validate(
        {**fields, "sealed": {"format": "hpke", "kid": key["kid"], "ciphertext": "later"}}
    )
    binding = BoxBinding(message.upload_id, installation.organization_id)
    bundle = Bundle(certificate=sample.certificate, private_key=sample.private_key, password=sample.password)
    box = HpkeSealer(key["kid"], public).seal(bundle, binding)
    ciphertext = base64.b64encode(box.ciphertext).decode()
    return message.model_copy(update={"sealed": SealedBundle(format=box.format, kid=box.kid, ciphertext=ciphertext)})


async def publish(installation: Installation, body: bytes) -> dict[str, Any]:
    """Publish as a producer does, and wait for the answer."""
    url = str(installation.dev["amqp_url"])
    connection = await aio_pika.connect(url)
    async with connection, asyncio.timeout(30):
        channel = await connection.channel(on_return_raises=True)
        replies = await channel.declare_queue(exclusive=True)
        exchange = await channel.get_exchange("certpipe.uploads")
        await exchange.publish(
            aio_pika.Message(
                body,
                content_type="application/json",
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                reply_to=replies.name,
                correlation_id="c-1",
                user_id=unquote(urlsplit(url).username or ""),
            ),
            "upload",
        )
        async with replies.iterator() as messages:
            async for message in messages:
                assert message.correlation_id == "c-1"
                answer: dict[str, Any] = json.loads(message.body)
                return answer
    raise AssertionError("no answer")
