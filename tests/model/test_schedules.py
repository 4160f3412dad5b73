"""Orders of events that chance takes long to find, played by hand on the same model."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest

from schemas.messages import StageMessage
from schemas.status import Stage, State
from tests.model import defects
from tests.model.stage import Call, Fate
from tests.model.system import System
from tests.model.tables import Tables


class Play:
    """A system whose calls happen in turn, but for those that are to wait."""

    def __init__(self, table: type[Tables] = Tables) -> None:
        self.system = System(table=table)
        self._accepted = 0

    def accept(self, party: int = 1) -> UUID:
        self._accepted += 1
        ref = self.system.tables.accept(UUID(int=self._accepted), party)
        message = StageMessage(stage=Stage.VALIDATE, uploads=(ref,))
        self.system.broker.put(Stage.VALIDATE.value, message.model_dump_json().encode())
        self.system.theatre.run()
        return ref.id

    def until(self, name: str, *, besides: tuple[Call, ...] = ()) -> Call:
        """Go on with everything but these calls, until one of that name waits."""
        for _ in range(500):
            for call in self._calls(besides):
                if call.name == name:
                    return call
            self._one(besides)
        raise AssertionError(f"nobody ever wants to {name}")

    def rest(self, *, besides: tuple[Call, ...] = ()) -> None:
        """Go on with everything but these calls, until nobody wants anything."""
        for _ in range(500):
            if not self._calls(besides):
                return
            self._one(besides)
        raise AssertionError("they never rest")

    def decide(self, call: Call, fate: Fate = Fate.DONE) -> None:
        self.system.theatre.decide(call, fate)

    def pass_time(self, seconds: int, *, besides: tuple[Call, ...] = ()) -> None:
        """Second by second, with all that wants to happen meanwhile but these."""
        for _ in range(seconds):
            self.rest(besides=besides)
            self.system.theatre.advance(1.0)
        self.rest(besides=besides)

    def state(self, upload_id: UUID) -> State:
        return self.system.tables.uploads[upload_id].state

    def got(self) -> list[UUID]:
        return [row.id for row in self.system.pac.got]

    def again(self, stage: Stage, upload_id: UUID) -> None:
        """The broker delivers an upload's message once more, as it does after a connection was cut."""
        message = StageMessage(stage=stage, uploads=(self.system.tables.uploads[upload_id].ref,))
        self.system.broker.put(stage.value, message.model_dump_json().encode())
        self.system.theatre.run()

    def _calls(self, besides: tuple[Call, ...]) -> list[Call]:
        return [call for call in self.system.theatre.calls if call not in besides]

    def _one(self, besides: tuple[Call, ...]) -> None:
        calls = self._calls(besides)
        if calls:
            self.decide(calls[0])
        else:
            self.system.theatre.advance(1.0)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


@contextmanager
def _playing(table: type[Tables] = Tables) -> Iterator[Play]:
    play = Play(table)
    try:
        yield play
    finally:
        play.system.end()


def _newer_while_older_is_sent(play: Play) -> bool:
    """Whether the newer one comes to the PAC last."""
    older = play.accept()
    sending = play.until("send")
    newer = play.accept()
    play.pass_time(30, besides=(sending,))
    play.decide(sending)
    play.pass_time(30)
    assert set(play.got()) == {older, newer}
    return play.got()[-1] == newer


def test_a_newer_certificate_waits_while_an_older_one_is_being_sent() -> None:
    with _playing() as play:
        assert _newer_while_older_is_sent(play)


def test_it_is_seen_where_it_does_not_wait() -> None:
    with _playing(defects.NeverWaits) as play:
        assert not _newer_while_older_is_sent(play)


def _the_same_message_twice_at_once(play: Play) -> State:
    """The first try is postponed, the second, of the same message, succeeds after that was written."""
    upload_id = play.accept()
    first = play.until("work validate")
    play.again(Stage.VALIDATE, upload_id)
    second = play.until("work validate", besides=(first,))
    play.decide(first, Fate.NOTHING)
    play.decide(play.until("settle validate", besides=(second,)))
    play.decide(second)
    play.decide(play.until("settle validate"))
    return play.state(upload_id)


def test_of_two_tries_of_one_message_the_one_that_is_settled_first_counts() -> None:
    with _playing() as play:
        assert _the_same_message_twice_at_once(play) is State.RECEIVED


def test_it_is_seen_where_the_guard_leaves_out_the_epoch() -> None:
    with _playing(defects.GuardsByState) as play:
        _the_same_message_twice_at_once(play)
        assert play.system.tables.broken == ["one change for each upload, stage and epoch"]


def _older_one_comes_again_while_it_is_sent(play: Play) -> bool:
    """Whether the newer one comes to the PAC last, where the older one's connection to the broker was cut."""
    older = play.accept()
    sending = play.until("send")
    newer = play.accept()
    play.pass_time(30, besides=(sending,))
    play.again(Stage.FORWARD, older)
    play.pass_time(30, besides=(sending,))
    play.decide(sending)
    play.pass_time(30)
    assert set(play.got()) == {older, newer}
    return play.got()[-1] == newer


def test_an_older_certificate_that_is_being_sent_is_not_overtaken_when_its_message_comes_again() -> None:
    with _playing() as play:
        assert _older_one_comes_again_while_it_is_sent(play)


def test_it_is_seen_where_it_is_ended_for_having_been_replaced() -> None:
    with _playing(defects.EndsWhatIsUnderWay) as play:
        assert not _older_one_comes_again_while_it_is_sent(play)


def _a_note_comes_late(play: Play) -> State:
    """It is of the hop before, and comes when encrypt has committed the next and dies before it publishes that."""
    upload_id = play.accept()
    note = play.until("note")
    play.decide(play.until("settle encrypt", besides=(note,)))
    play.decide(note)
    play.system.kill("encrypt")
    play.pass_time(60)
    return play.state(upload_id)


def test_a_late_note_of_dispatch_puts_nothing_off() -> None:
    with _playing() as play:
        assert _a_note_comes_late(play) is State.FORWARDED


def test_it_is_seen_where_a_note_is_taken_whatever_its_epoch() -> None:
    with _playing(defects.NotesWithoutEpoch) as play:
        assert _a_note_comes_late(play) is State.ENCRYPTED
