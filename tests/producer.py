"""A producer of uploads on a connection of its own, as any program of a customer's is one."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import unquote, urlsplit
from uuid import UUID, uuid4

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractIncomingMessage, AbstractQueue
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from certpipe.core.bundle import Bundle
from certpipe.core.ids import uuid7
from certpipe.core.uploads import BoxBinding
from certpipe.crypto.sealing import HpkeSealer
from schemas.base import Kind
from schemas.upload import ClearBundle, SealedBundle, UploadMessage
from tests.installation import Installation

SECONDS_TO_ANSWER = 60


class Producer:
    """Seals to the published key, publishes, and waits for the answer."""

    def __init__(
        self, installation: Installation, channel: AbstractChannel, exchange: AbstractExchange, replies: AbstractQueue
    ) -> None:
        self._organization_id = installation.organization_id
        self._user = unquote(urlsplit(str(installation.dev["amqp_url"])).username or "")
        self._channel, self._exchange, self._replies = channel, exchange, replies
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._sealer: HpkeSealer | None = None

    @classmethod
    @asynccontextmanager
    async def connect(cls, installation: Installation) -> AsyncIterator[Self]:
        """Connected until the end of the block."""
        connection = await aio_pika.connect(str(installation.dev["amqp_url"]))
        async with connection:
            channel = await connection.channel(on_return_raises=True)
            replies = await channel.declare_queue(exclusive=True)
            exchange = await channel.get_exchange("certpipe.uploads")
            producer = cls(installation, channel, exchange, replies)
            async with installation.client() as http, http.get("/v1/sealing-keys") as answer:
                producer._sealer = _sealer(await answer.json())
            await replies.consume(producer._answered, no_ack=True)
            yield producer

    def sealed(self, bundle: Bundle, party_id: UUID, kind: Kind) -> UploadMessage:
        """A message with the bundle in an HPKE box."""
        assert self._sealer is not None
        upload_id = uuid7()
        box = self._sealer.seal(bundle, BoxBinding(upload_id, self._organization_id))
        sealed = SealedBundle(format=box.format, kid=box.kid, ciphertext=base64.b64encode(box.ciphertext).decode())
        return UploadMessage(upload_id=upload_id, party_id=party_id, kind=kind, sealed=sealed)

    @staticmethod
    def clear(bundle: Bundle, party_id: UUID, kind: Kind) -> UploadMessage:
        """A message with the bundle as it is."""
        content = ClearBundle(
            certificate=base64.b64encode(bundle.certificate).decode(),
            private_key=base64.b64encode(bundle.private_key).decode(),
            password=bundle.password,
        )
        return UploadMessage(upload_id=uuid7(), party_id=party_id, kind=kind, clear=content)

    async def publish(self, body: bytes) -> dict[str, Any]:
        """The answer to what was published."""
        correlation_id = str(uuid4())
        self._waiting[correlation_id] = asyncio.get_running_loop().create_future()
        await self._exchange.publish(
            aio_pika.Message(
                body,
                content_type="application/json",
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
                reply_to=self._replies.name,
                correlation_id=correlation_id,
                user_id=self._user,
            ),
            "upload",
        )
        async with asyncio.timeout(SECONDS_TO_ANSWER):
            return await self._waiting[correlation_id]

    async def _answered(self, message: AbstractIncomingMessage) -> None:
        self._waiting[str(message.correlation_id)].set_result(json.loads(message.body))


def _sealer(document: dict[str, Any]) -> HpkeSealer:
    key = next(key for key in document["keys"] if key["kid"] == document["current"])
    return HpkeSealer(key["kid"], X25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(key["x"] + "=")))
