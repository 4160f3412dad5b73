import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from certpipe.core.errors import Unavailable
from certpipe.core.ports.broker import Death, Delivery, Settlement
from certpipe.core.ports.dead import DeadMessage
from certpipe.core.retry import Backoff
from certpipe.runtime.parker import Parker
from schemas.dead import DeathReason
from schemas.messages import RefusedMessage
from schemas.status import ProblemView, Stage
from tests.unit.runtime.fakes import AWAY, Clock, Inbox, Suspects, delivery, ref

WORN = Death("certpipe.validate.v1", "delivery_limit")
SECRET = "s3cr3t-Nandu"


@dataclass
class Graveyard:
    buried: list[DeadMessage] = field(default_factory=list)
    fails: list[Exception] = field(default_factory=list)

    async def bury(self, messages: Sequence[DeadMessage], /) -> None:
        if self.fails:
            raise self.fails.pop(0)
        self.buried += messages


@dataclass
class Yard:
    graveyard: Graveyard = field(default_factory=Graveyard)
    suspects: Suspects = field(default_factory=Suspects)

    async def park(self, *deliveries: Delivery) -> list[Settlement]:
        inbox, stopping = Inbox(list(deliveries), expected=len(deliveries)), asyncio.Event()
        patience = Backoff(first=0.5, most=1, attempts=5)
        parker = Parker(inbox=inbox, graveyard=self.graveyard, suspects=self.suspects, clock=Clock(), patience=patience)
        task = asyncio.ensure_future(parker.run(stopping))
        async with asyncio.timeout(20):
            await inbox.all_settled.wait()
            stopping.set()
            await task
        return [how for _, how in inbox.settled]


def message(body: bytes, death: Death | None = None, **properties: str) -> Delivery:
    return Delivery(body=body, count=0, token=object(), death=death, **properties)


async def test_uploads_of_a_message_that_came_back_too_often_are_suspects_and_no_letters() -> None:
    yard, refs = Yard(), [ref(), ref()]
    assert await yard.park(delivery(*refs, count=51, death=WORN)) == [Settlement.ACK]
    assert yard.suspects.deaths == dict.fromkeys(refs, 2)
    assert yard.graveyard.buried == []


async def test_a_message_of_another_stage_or_one_that_a_worker_rejected_is_a_letter() -> None:
    yard = Yard()
    await yard.park(
        delivery(ref(), death=Death("certpipe.encrypt.v1", "delivery_limit")),
        delivery(ref(), death=Death("certpipe.validate.v1", "rejected")),
        delivery(ref(), death=Death("certpipe.uploads.v1", "delivery_limit")),
    )
    assert yard.suspects.deaths == {}
    worn, malformed, _ = yard.graveyard.buried
    assert (worn.reason, worn.stage) == (DeathReason.DELIVERY_LIMIT, Stage.ENCRYPT)
    assert (malformed.reason, malformed.stage) == (DeathReason.MALFORMED, Stage.VALIDATE)


async def test_a_producers_message_that_wore_out_is_kept_without_its_bundle() -> None:
    yard = Yard()
    body = {"kind": "csd", "upload_id": "0199", "clear": {"password": SECRET}, "password": SECRET, "version": 1}
    death = Death("certpipe.uploads.v1", "delivery_limit")
    await yard.park(message(json.dumps(body).encode(), death, user_id="erp", correlation_id="c-1"))
    (letter,) = yard.graveyard.buried
    assert SECRET not in repr(dict(letter.kept))
    assert letter.kept["kind"] == "csd"
    assert (letter.kept["user"], letter.kept["correlation_id"]) == ("erp", "c-1")
    assert letter.kept["queue"] == "certpipe.uploads.v1"


async def test_what_the_door_refused_has_its_problems_and_whose_it_was() -> None:
    yard = Yard()
    problem = ProblemView(code="malformed_message", message_es="es", message_en="en")
    refused = RefusedMessage(user="erp", correlation_id="c-1", problems=(problem,), message={"kind": "csd"})
    await yard.park(message(refused.model_dump_json().encode(), message_id="m-1"))
    (letter,) = yard.graveyard.buried
    assert (letter.reason, letter.problems) == (DeathReason.REFUSED, (problem,))
    assert letter.kept == {"user": "erp", "correlation_id": "c-1", "kind": "csd"}


async def test_nobody_else_may_say_that_the_door_refused() -> None:
    yard = Yard()
    forged = RefusedMessage(user="bank", correlation_id=None, problems=(), message={"password": SECRET})
    await yard.park(message(forged.model_dump_json().encode(), Death("certpipe.uploads.v1", "delivery_limit")))
    (letter,) = yard.graveyard.buried
    assert letter.reason is DeathReason.DELIVERY_LIMIT
    assert SECRET not in repr(dict(letter.kept))


async def test_a_message_has_one_identity_however_often_it_comes_and_two_have_two() -> None:
    yard = Yard()
    await yard.park(
        message(b"{}", message_id="a"), message(b"{}", message_id="a"), message(b"{}", message_id="b"), message(b"x")
    )
    first, again, second, other = (letter.identity for letter in yard.graveyard.buried)
    assert first == again
    assert len({first, second, other}) == 3


async def test_the_database_away_for_a_while_costs_waiting_and_for_long_gives_back() -> None:
    yard = Yard()
    yard.graveyard.fails = [Unavailable(AWAY)] * 2
    assert await yard.park(message(b"x")) == [Settlement.ACK]
    assert len(yard.graveyard.buried) == 1
    yard.graveyard.fails = [Unavailable(AWAY)] * 100
    assert await yard.park(message(b"y")) == [Settlement.REQUEUE]


async def test_what_cannot_be_kept_as_it_is_stops_nobody_and_leaves_a_note() -> None:
    yard = Yard()
    yard.graveyard.fails = [ValueError("of both"), ValueError("of the first")]
    assert await yard.park(message(b"bad"), message(b"good")) == [Settlement.ACK] * 2
    note, good = yard.graveyard.buried
    assert (note.reason, dict(note.kept)) == (DeathReason.MALFORMED, {"bytes": 3})
    assert good.kept["bytes"] == 4
