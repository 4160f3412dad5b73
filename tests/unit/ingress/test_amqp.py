"""The producers' door."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from certpipe.core.ids import uuid7
from certpipe.core.ports.broker import Delivery, Settlement
from certpipe.core.ports.directory import Producer
from certpipe.core.ports.doors import Follower
from certpipe.core.retry import Backoff
from certpipe.ingress.amqp import PREFETCH, ProducersDoor
from certpipe.ingress.aside import LONGEST, MOST, MOST_OF_ONE
from certpipe.ingress.problems import NOWHERE_TO_FOLLOW
from schemas.messages import RefusedMessage
from schemas.status import Stage
from schemas.upload import UploadReply
from tests.fakes import HandClock, MemoryInbox, MemoryPublisher
from tests.unit.ingress.scene import Scene

SECRET = "s3cr3t-Ñandú"
CLEAR = {"certificate": "Y2Vy", "private_key": "a2V5", "password": SECRET}
SEALED = {"format": "hpke", "kid": "intake-1", "ciphertext": base64.b64encode(b"enc-and-ct").decode()}


class Room:
    """A running door over ports in memory."""

    def __init__(self, patience: Backoff | None = None) -> None:
        self.scene, self.inbox, self.publisher, self.clock = Scene(), MemoryInbox(), MemoryPublisher(), HandClock()
        self.stopping = asyncio.Event()
        self.door = ProducersDoor(
            self.inbox,
            self.publisher,
            self.scene.service,
            self.scene.directory,
            "dead",
            self.clock,
            patience or Backoff(first=0.5, most=15, attempts=3, jitter=0),
        )

    def message(self, **changes: Any) -> dict[str, Any]:
        fields = {
            "version": 1,
            "upload_id": str(uuid7()),
            "party_id": str(self.scene.party),
            "kind": "csd",
            "sealed": SEALED,
            **changes,
        }
        return {name: value for name, value in fields.items() if value is not None}

    async def end_of(self, message: Any, *, user: str | None = "erp", reply_to: str | None = "answers") -> Settlement:
        """Deliver one message and tell how it ended."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.inbox.put(Delivery(body, 0, object(), reply_to=reply_to, correlation_id="c-1", user_id=user))
        before = len(self.inbox.settled)
        async with asyncio.timeout(30):
            await self.inbox.until_settled(before + 1)
        return self.inbox.settled[-1][1]

    @property
    def reply(self) -> UploadReply:
        """The last answer."""
        return UploadReply.model_validate_json(self.publisher.published[-1].body)

    @property
    def kept(self) -> list[bytes]:
        """What was published to the dead letters."""
        return [message.body for message in self.publisher.published if message.exchange == "dead"]

    @property
    def codes(self) -> list[str]:
        return [problem.code for problem in self.reply.problems]


@asynccontextmanager
async def running(patience: Backoff | None = None) -> AsyncIterator[Room]:
    room = Room(patience)
    task = asyncio.create_task(room.door.run(room.stopping))
    yield room
    room.stopping.set()
    async with asyncio.timeout(30):
        await task


async def test_a_sealed_upload_is_accepted_answered_and_acked() -> None:
    async with running() as room:
        message = room.message()
        assert await room.end_of(message) is Settlement.ACK
        (upload,) = room.scene.store.rows.values()
        assert (str(upload.id), upload.box.ciphertext, upload.box.kid) == (
            message["upload_id"],
            b"enc-and-ct",
            "intake-1",
        )
        assert room.scene.dispatcher.dispatched == [(Stage.VALIDATE, upload.id)]
        assert room.reply == UploadReply(accepted=True, upload_id=upload.id)
        answer = room.publisher.published[-1]
        assert (answer.exchange, answer.routing_key, answer.correlation_id, answer.mandatory) == (
            "",
            "answers",
            "c-1",
            False,
        )


async def test_a_jwe_stands_as_it_is() -> None:
    async with running() as room:
        sealed = {"format": "jwe", "kid": "intake-1", "ciphertext": "a..b.c.d"}
        assert await room.end_of(room.message(sealed=sealed)) is Settlement.ACK
        (upload,) = room.scene.store.rows.values()
        assert upload.box.ciphertext == b"a..b.c.d"


async def test_a_duplicate_is_accepted_again_and_dispatched_once() -> None:
    async with running() as room:
        message = room.message()
        for _ in range(2):
            assert await room.end_of(message) is Settlement.ACK
            assert room.reply.accepted
        assert len(room.scene.store.rows) == len(room.scene.dispatcher.dispatched) == 1


async def test_an_id_with_another_content_is_refused() -> None:
    async with running() as room:
        message = room.message()
        await room.end_of(message)
        other = {**message, "sealed": {**SEALED, "ciphertext": "b3RoZXI="}}
        assert await room.end_of(other) is Settlement.ACK
        assert room.codes == ["idempotency_conflict"]


async def test_a_bundle_in_clear_is_sealed_where_the_operator_allows_it() -> None:
    async with running() as room:
        message = room.message(sealed=None, clear=CLEAR)
        for _ in range(2):
            assert await room.end_of(message, user="old-erp") is Settlement.ACK
        (upload,) = room.scene.store.rows.values()
        assert json.loads(upload.box.ciphertext)["password"] == SECRET


async def test_a_bundle_in_clear_that_is_not_allowed_is_answered_and_its_message_kept_without_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running() as room:
        message = room.message(sealed=None, clear=CLEAR)
        assert await room.end_of(message) is Settlement.ACK
        assert room.codes == ["clear_not_allowed"]
        assert not room.scene.store.rows
        (kept,) = room.kept
        refused = RefusedMessage.model_validate_json(kept)
        assert (refused.user, refused.correlation_id) == ("erp", "c-1")
        assert [problem.code for problem in refused.problems] == room.codes
        assert refused.message.items() >= {name: message[name] for name in message if name != "clear"}.items()
        assert not any(secret.encode() in kept for secret in (*CLEAR.values(), json.dumps(SECRET)[1:-1]))
    assert SECRET not in caplog.text
    assert SECRET.encode() not in room.publisher.published[-1].body


@pytest.mark.parametrize("user", [None, "", "stranger"])
async def test_an_unknown_user_is_refused_whatever_the_message_says(user: str | None) -> None:
    async with running() as room:
        assert await room.end_of(room.message(), user=user) is Settlement.ACK
        assert room.codes == ["unknown_producer"]


async def test_another_organizations_party_is_not_found() -> None:
    async with running() as room:
        for party in (room.scene.foreign, uuid7()):
            assert await room.end_of(room.message(party_id=str(party))) is Settlement.ACK
            assert room.codes == ["target_not_found"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"certificate",
        b"[]",
        b"\x00" * 100,
        b"{}",
        b'{"version": 1, "version": 1}',
        json.dumps({"version": 2}).encode(),
        json.dumps({"upload_id": "x", "party_id": None, "kind": "pfx"}).encode(),
        b'{"a":' * 10_000,
        b'{"a": "' + b"x" * 600_000 + b'"}',
    ],
)
async def test_a_malformed_message_is_answered_and_kept(body: bytes) -> None:
    async with running() as room:
        assert await room.end_of(body) is Settlement.ACK
        assert not room.reply.accepted
        assert room.codes
        (kept,) = room.kept
        assert RefusedMessage.model_validate_json(kept).message["bytes"] == len(body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"password": "' + SECRET.encode() + b'"}',
        b'{"clear": {"password": "' + SECRET.encode(),
        b'{"version": 1, "version": 1, "clear": {"private_key": "' + SECRET.encode() + b'"}}',
        b'{"\\u0063lear": "' + SECRET.encode() + b'"}',
        json.dumps({"sealed": {**SEALED, "password": SECRET}}, ensure_ascii=False).encode(),
    ],
)
async def test_a_malformed_message_that_may_hold_a_bundle_is_kept_without_it(body: bytes) -> None:
    async with running() as room:
        for user in ("old-erp", "stranger"):
            assert await room.end_of(body, user=user) is Settlement.ACK
            assert room.codes
        assert len(room.kept) == 2
        assert not any(SECRET.encode() in kept for kept in room.kept)


async def test_a_message_waits_until_what_is_kept_of_it_is_kept() -> None:
    async with running() as room:
        room.publisher.away = True
        ending = asyncio.create_task(room.end_of(room.message(sealed=None, clear=CLEAR)))
        await _until_waiting(room)
        room.publisher.away = False
        room.clock.tick_shorter_than(60)
        assert await ending is Settlement.ACK
        assert len(room.kept) == 1
        assert room.codes == ["clear_not_allowed"]


@pytest.mark.parametrize(
    "change",
    [
        {"sealed": None},
        {"extra": 1},
        {"sealed": {**SEALED, "ciphertext": "%%%"}},
        {"sealed": {**SEALED, "ciphertext": "ñ", "format": "jwe"}},
        {"sealed": {**SEALED, "format": "zip"}},
        {"sealed": {**SEALED, "kid": ""}},
        {"clear": CLEAR},
        {"sealed": None, "clear": {**CLEAR, "password": SECRET * 200}},
        {"sealed": None, "clear": {**CLEAR, "password": [SECRET]}},
        {"sealed": None, "clear": {**CLEAR, SECRET[:3]: 1, "certificate": SECRET * 9_000}},
    ],
)
async def test_a_message_that_breaks_the_schema_is_kept_and_never_quoted(
    change: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async with running() as room:
        assert await room.end_of(room.message(**change), user="old-erp") is Settlement.ACK
        (kept,) = room.kept
        assert SECRET not in kept.decode()
        assert not room.reply.accepted
        assert SECRET not in room.publisher.published[-1].body.decode()
    assert SECRET not in caplog.text


@pytest.mark.parametrize("clear", [{"certificate": "%"}, {"private_key": ""}, {"password": ""}])
async def test_a_clear_bundle_with_a_bad_part_is_refused_by_field(clear: dict[str, str]) -> None:
    async with running() as room:
        await room.end_of(room.message(sealed=None, clear={**CLEAR, **clear}), user="old-erp")
        assert [problem.field for problem in room.reply.problems] == list(clear)


@pytest.mark.parametrize("reply_to", [None, "", "certpipe.validate.v1", "certpipe.uploads.v1"])
async def test_nothing_is_answered_into_a_queue_of_ours(reply_to: str | None) -> None:
    async with running() as room:
        assert await room.end_of(room.message(), reply_to=reply_to) is Settlement.ACK
        assert room.publisher.published == []


async def test_an_upload_is_followed_where_the_answer_goes_when_that_is_asked_for_and_not_otherwise() -> None:
    async with running() as room:
        for follow in (True, False, None):
            assert await room.end_of(room.message(follow=follow)) is Settlement.ACK
        followers = [upload.follower for upload in room.scene.store.rows.values()]
        assert followers == [Follower("answers", "c-1"), None, None]


@pytest.mark.parametrize("reply_to", [None, "", "certpipe.validate.v1"])
async def test_an_upload_that_is_to_be_followed_into_nowhere_is_refused_by_field(
    reply_to: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    async with running() as room:
        assert await room.end_of(room.message(follow=True), reply_to=reply_to) is Settlement.ACK
        assert [message.exchange for message in room.publisher.published] == ["dead"]
        assert not room.scene.store.rows
    assert "nowhere_to_follow" in caplog.text
    assert NOWHERE_TO_FOLLOW.field == "follow"


async def test_who_is_not_known_is_told_that_before_anything_else() -> None:
    async with running() as room:
        await room.end_of(room.message(follow=True), user="stranger")
        assert room.codes == ["unknown_producer"]


@pytest.mark.parametrize("follow", ["true", 1, None])
async def test_following_is_asked_for_by_a_boolean_alone(follow: object) -> None:
    async with running() as room:
        body = json.dumps({**room.message(), "follow": follow}).encode()
        assert await room.end_of(body) is Settlement.ACK
        assert {problem.field for problem in room.reply.problems} == {None, "follow"}


async def test_an_answer_that_cannot_be_delivered_changes_nothing() -> None:
    async with running() as room:
        room.publisher.away = True
        assert await room.end_of(room.message()) is Settlement.ACK
        assert len(room.scene.store.rows) == 1


async def test_a_message_is_held_while_the_database_is_away_and_taken_in_when_it_is_back() -> None:
    async with running() as room:
        room.scene.store.away = True
        ending = asyncio.create_task(room.end_of(room.message()))
        await _until_waiting(room)
        room.scene.store.away = False
        room.clock.tick_shorter_than(60)
        assert await ending is Settlement.ACK
        assert len(room.scene.store.rows) == 1


async def test_after_every_pause_the_broker_gets_it_back() -> None:
    async with running(Backoff(first=0.5, attempts=1)) as room:
        room.scene.store.away = True
        body = json.dumps(room.message()).encode()
        room.inbox.put(Delivery(body, 0, object(), user_id="erp"))
        async with asyncio.timeout(30):
            await room.inbox.until_settled(1)
        room.scene.store.away = False
        async with asyncio.timeout(30):
            while room.inbox.settled[-1][1] is not Settlement.ACK:
                await room.inbox.until_settled(len(room.inbox.settled) + 1)
        assert room.inbox.settled[0][1] is Settlement.REQUEUE
        assert len(room.scene.store.rows) == 1


async def test_stopping_gives_back_what_is_held() -> None:
    async with running() as room:
        room.scene.store.away = True
        ending = asyncio.create_task(room.end_of(room.message()))
        await _until_waiting(room)
        await room.inbox.stop()
        room.stopping.set()
        assert await ending is Settlement.REQUEUE


def _overload(room: Room, *, waiting: int = 50) -> None:
    room.scene.store.waiting_of[room.scene.organization] = waiting


def _another(room: Room) -> dict[str, Any]:
    """A message of another organization's producer `other`."""
    organization = room.scene.directory.known_parties[room.scene.foreign].organization_id
    room.scene.directory.producers["other"] = Producer("other", organization, may_send_clear=False)
    return room.message(party_id=str(room.scene.foreign))


def _put(room: Room, count: int) -> None:
    bodies = [json.dumps(room.message()).encode() for _ in range(count)]
    room.inbox.put(*(Delivery(body, 0, object(), reply_to="answers", user_id="erp") for body in bodies))


async def test_who_has_too_much_on_its_way_waits_while_the_messages_of_others_behind_go_on() -> None:
    async with running() as room:
        _overload(room)
        _put(room, 200)
        assert await room.end_of(_another(room), user="other") is Settlement.ACK
        assert [settlement for _, settlement in room.inbox.settled] == [Settlement.ACK]
        _overload(room, waiting=0)
        await _until_waiting(room)
        async with asyncio.timeout(30):
            while len(room.inbox.settled) < 201:
                room.clock.tick_shorter_than(5)
                await asyncio.wait([asyncio.create_task(_nothing())])
        assert {settlement for _, settlement in room.inbox.settled} == {Settlement.ACK}
        assert all(delivery.count == 0 for delivery, _ in room.inbox.settled)
        assert len(room.scene.store.rows) == 201


async def test_what_has_no_place_among_those_that_wait_is_refused_and_kept_and_stops_nobody() -> None:
    async with running() as room:
        _overload(room)
        _put(room, MOST_OF_ONE + 3)
        async with asyncio.timeout(30):
            await room.inbox.until_settled(3)
        assert [settlement for _, settlement in room.inbox.settled] == [Settlement.ACK] * 3
        assert room.codes == ["organization_overloaded"]
        assert await room.end_of(_another(room), user="other") is Settlement.ACK


async def test_when_the_connection_was_lost_those_that_waited_wait_on_and_none_of_them_is_tried_twice() -> None:
    async with running() as room:
        _overload(room)
        for _ in range(3):
            _put(room, 200) if not len(room.door.aside) else room.inbox.cut()
            assert await room.end_of(_another(room), user="other") is Settlement.ACK
            assert len(room.door.aside) == 200
        assert room.codes == []
        _overload(room, waiting=0)
        async with asyncio.timeout(30):
            while len(room.inbox.settled) < 203:
                room.clock.tick_shorter_than(5)
                await asyncio.wait([asyncio.create_task(_nothing())])
        assert len(room.door.aside) == 0
        assert len(room.publisher.published) == len(room.scene.store.rows) == 203
        assert {delivery.count for delivery, _ in room.inbox.settled[-200:]} == {2}


async def test_what_is_held_for_the_database_is_left_to_its_next_delivery_when_the_connection_was_lost() -> None:
    async with running() as room:
        room.scene.store.away = True
        ending = asyncio.create_task(room.end_of(room.message()))
        await _until_waiting(room)
        room.inbox.cut()
        room.scene.store.away = False
        room.clock.tick_shorter_than(60)
        assert await ending is Settlement.ACK
        assert len(room.publisher.published) == 1


async def test_who_has_waited_for_long_is_refused_and_the_others_wait_on() -> None:
    async with running() as room:
        _overload(room)
        _put(room, 1)
        await _until_waiting(room)
        room.clock.advance(LONGEST.total_seconds())
        room.clock.tick_shorter_than(5)
        async with asyncio.timeout(30):
            await room.inbox.until_settled(1)
        assert room.inbox.settled[0][1] is Settlement.ACK
        assert room.codes == ["organization_overloaded"]


async def test_while_the_database_is_away_no_organization_that_waits_is_held_behind_another() -> None:
    async with running(Backoff(first=100, most=100, attempts=9, jitter=0)) as room:
        message = json.dumps(_another(room)).encode()
        foreign = room.scene.directory.producers["other"].organization_id
        _overload(room)
        room.scene.store.waiting_of[foreign] = 50
        _put(room, 1)
        room.inbox.put(Delivery(message, 0, object(), user_id="other"))
        async with asyncio.timeout(30):
            while len(room.door.aside) < 2:
                await asyncio.wait([asyncio.create_task(_nothing())])
            room.scene.store.waiting_of.clear()
            room.scene.store.away = True
            while room.clock.waits.count(100) < 2:
                room.clock.tick_shorter_than(5)
                await asyncio.wait([asyncio.create_task(_nothing())])


async def test_stopping_gives_back_what_waits_for_its_organization() -> None:
    async with running() as room:
        _overload(room)
        _put(room, 2)
        await _until_waiting(room)
        room.stopping.set()
        async with asyncio.timeout(30):
            await room.inbox.until_settled(2)
        assert [settlement for _, settlement in room.inbox.settled] == [Settlement.REQUEUE] * 2


async def test_neighbours_of_a_bad_message_are_not_held_up() -> None:
    async with running() as room:
        bodies = [json.dumps(room.message()).encode(), b"bad", json.dumps(room.message()).encode()]
        room.inbox.put(*(Delivery(body, 0, object(), user_id="erp") for body in bodies))
        async with asyncio.timeout(30):
            await room.inbox.until_settled(3)
        ends = {delivery.body: settlement for delivery, settlement in room.inbox.settled}
        assert [ends[body] for body in bodies] == [Settlement.ACK, Settlement.ACK, Settlement.ACK]


def test_the_broker_hands_over_more_than_may_wait() -> None:
    assert MOST_OF_ONE < MOST < PREFETCH


async def _until_waiting(room: Room) -> None:
    async with asyncio.timeout(30):
        while not room.clock.waits:
            await asyncio.wait([asyncio.get_running_loop().create_task(_nothing())])


async def _nothing() -> None:
    return
