"""The doors over the real store, and the producers' door over a real RabbitMQ."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import aio_pika
import pytest
from yarl import URL

from certpipe.broker import topology
from certpipe.broker.amqp import AmqpBroker
from certpipe.broker.connection import connect
from certpipe.broker.declare import apply
from certpipe.core.clock import SystemClock
from certpipe.core.ids import uuid7
from certpipe.core.ports.directory import Producer
from certpipe.core.ports.doors import Accepted, IdempotencyConflictError
from certpipe.ingress.amqp import ProducersDoor
from certpipe.ingress.intake import IntakeService
from certpipe.ingress.recent import RecentDirectory
from certpipe.ingress.submission import Submission
from schemas.base import Kind
from schemas.messages import RefusedMessage
from schemas.upload import UploadReply
from tests.fakes import MemoryDispatcher, PlainSealer
from tests.integration.storehouse import Storehouse, storehouse
from tests.unit.ingress.scene import bundle

PATIENCE = 60.0


def service_of(house: Storehouse) -> IntakeService:
    return IntakeService(
        intake=house.intake,
        directory=RecentDirectory(house.directory, SystemClock()),
        sealer=PlainSealer(),
        dispatcher=MemoryDispatcher(),
        backlog=house.backlog,
        fingerprint_key=b"k" * 32,
        limit=10_000,
        organization_limit=10_000,
    )


class Client:
    """A producer with a queue for its answers."""

    def __init__(self, channel: Any, answers: Any, house: Storehouse, user: str) -> None:
        self._channel, self._answers, self._house, self._user = channel, answers, house, user

    def message(self, **changes: Any) -> dict[str, Any]:
        sealed = {"format": "hpke", "kid": "intake-1", "ciphertext": base64.b64encode(b"box").decode()}
        return {
            "version": 1,
            "upload_id": str(uuid7()),
            "party_id": str(self._house.party.id),
            "kind": "csd",
            "sealed": sealed,
            **changes,
        }

    async def ask(self, message: Any) -> UploadReply:
        """Publish, and wait for the answer."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        correlation_id = str(uuid7())
        exchange = await self._channel.get_exchange(topology.UPLOADS, ensure=False)
        await exchange.publish(
            aio_pika.Message(
                body, user_id=self._user, reply_to=self._answers.name, correlation_id=correlation_id, delivery_mode=2
            ),
            topology.UPLOADS_KEY,
        )
        async with asyncio.timeout(PATIENCE), self._answers.iterator() as answers:
            async for answer in answers:
                await answer.ack()
                if answer.correlation_id == correlation_id:
                    return UploadReply.model_validate_json(answer.body)
        raise AssertionError


@asynccontextmanager
async def producing(amqp_url: str, database_url: str) -> AsyncIterator[tuple[Client, Storehouse]]:
    """A running door between both servers, and a producer in front of it."""
    await apply(amqp_url)
    user = URL(amqp_url).user or "guest"
    stopping = asyncio.Event()
    async with storehouse(database_url) as house:
        await house.directory.put_producer(Producer(user, house.organization.id, may_send_clear=False))
        broker = AmqpBroker(amqp_url, role="ingress", clock=SystemClock())
        assert await broker.wait_ready(PATIENCE)
        door = ProducersDoor(
            broker.inbox(topology.UPLOADS_QUEUE, prefetch=64),
            broker.publisher,
            service_of(house),
            house.directory,
            topology.DEAD,
            SystemClock(),
        )
        running = asyncio.create_task(door.run(stopping))
        connection = await connect(amqp_url, name="producer")
        try:
            channel = await connection.channel()
            answers = await channel.declare_queue(exclusive=True)
            yield Client(channel, answers, house, user), house
        finally:
            stopping.set()
            async with asyncio.timeout(PATIENCE):
                await running
            await connection.close()
            await broker.close()


async def test_a_producer_is_told_accepted_once_it_is_committed_and_again_for_the_same(
    amqp_url: str, database_url: str
) -> None:
    async with producing(amqp_url, database_url) as (client, house):
        message = client.message()
        for _ in range(2):
            reply = await client.ask(message)
            assert reply == UploadReply(accepted=True, upload_id=UUID(message["upload_id"]))
        row = await house.row(UUID(message["upload_id"]))
        assert (row["door"], row["state"]) == ("amqp", "received")
        assert await house.count("uploads") == 1


async def test_a_malformed_message_is_answered_and_kept_in_the_dead_letters(amqp_url: str, database_url: str) -> None:
    async with producing(amqp_url, database_url) as (client, _):
        reply = await client.ask(b'{"version": 1')
        assert not reply.accepted
        assert [problem.code for problem in reply.problems] == ["malformed_message"]
        connection = await connect(amqp_url, name="looker")
        try:
            channel = await connection.channel()
            dead = await channel.get_queue(topology.DEAD_QUEUE, ensure=False)
            async with asyncio.timeout(PATIENCE), dead.iterator() as letters:
                async for letter in letters:
                    kept = RefusedMessage.model_validate_json(letter.body)
                    assert [problem.code for problem in kept.problems] == ["malformed_message"]
                    assert kept.message == {"bytes": 13}
                    await letter.ack()
                    break
        finally:
            await connection.close()
        assert (await client.ask(client.message())).accepted, "it goes on"


async def test_a_refused_producer_is_told_why(amqp_url: str, database_url: str) -> None:
    async with producing(amqp_url, database_url) as (client, house):
        clear = {"certificate": "Y2Vy", "private_key": "a2V5", "password": "x"}
        for message, code in (
            (client.message(party_id=str(uuid7())), "target_not_found"),
            ({**client.message(), "sealed": None, "clear": clear}, "clear_not_allowed"),
        ):
            reply = await client.ask(message)
            assert [problem.code for problem in reply.problems] == [code]
        assert await house.count("uploads") == 0


async def test_fifty_requests_with_one_key_at_once_are_one_upload(database_url: str) -> None:
    async with storehouse(database_url) as house:
        service = service_of(house)
        await house.database.execute(
            "INSERT INTO certpipe.members (organization_id, subject, role) VALUES ($1, 'olivia', 'member')",
            house.organization.id,
        )

        async def submit(password: str = "x") -> Accepted:  # noqa: S107 - a test password
            wanted = Submission(bundle(password=password), house.party.id, Kind.CSD)
            return await service.submit(wanted, subject="olivia", door="http", key="order-1")

        accepted = await asyncio.gather(*(submit() for _ in range(50)))
        assert len({each.ref.id for each in accepted}) == 1
        assert [each.replayed for each in accepted].count(False) == 1
        with pytest.raises(IdempotencyConflictError):
            await submit("other")
        assert await house.count("uploads") == 1
