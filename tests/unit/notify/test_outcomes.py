from datetime import timedelta
from uuid import UUID

from certpipe.notify.outcomes import OUR_PAUSE, OurError, hindered, judged
from certpipe.notify.schedule import Schedule
from certpipe.notify.standing import LONGEST_PAUSE, Standing
from schemas.webhooks import DeliveryState, DisabledBecause
from tests.fakes import AT
from tests.unit.notify.queue import answered, claimed

ID = UUID(int=1)
PLAIN = Schedule(jitter=0.0)


def test_a_success_ends_the_delivery_and_clears_the_endpoint() -> None:
    outcome = judged(claimed(ID), answered(200), Standing(9, AT, AT), PLAIN, AT)
    assert (outcome.attempted.state, outcome.attempted.due_at) == (DeliveryState.DELIVERED, None)
    assert outcome.standing == Standing()


def test_a_failure_is_tried_again_by_the_schedule_of_its_step() -> None:
    outcome = judged(claimed(ID, step=2), answered(500), Standing(), PLAIN, AT)
    assert outcome.attempted.state is DeliveryState.PENDING
    assert outcome.attempted.due_at == AT + timedelta(minutes=30)
    assert outcome.standing == Standing(1, AT)


def test_the_tenth_failure_is_the_end_of_the_delivery() -> None:
    outcome = judged(claimed(ID, step=9), answered(None, error="timeout"), Standing(), PLAIN, AT)
    assert (outcome.attempted.state, outcome.attempted.due_at) == (DeliveryState.FAILED, None)


def test_a_receiver_that_asks_for_time_gets_it() -> None:
    outcome = judged(claimed(ID), answered(503, retry_after=120.0), Standing(), PLAIN, AT)
    assert outcome.attempted.due_at == AT + timedelta(seconds=120)
    assert outcome.standing.paused_until == AT + timedelta(seconds=120)


def test_a_receiver_that_asks_for_a_day_is_asked_again_in_five_minutes_by_other_deliveries() -> None:
    outcome = judged(claimed(ID), answered(429, retry_after=86_400.0), Standing(), PLAIN, AT)
    assert outcome.attempted.due_at == AT + timedelta(days=1)
    assert outcome.standing.paused_until == AT + LONGEST_PAUSE


def test_a_pause_that_was_earned_is_not_made_shorter_by_what_is_asked() -> None:
    outcome = judged(claimed(ID), answered(503, retry_after=1.0), Standing(6, AT), PLAIN, AT)
    assert outcome.standing.paused_until == AT + timedelta(seconds=20)


def test_gone_ends_the_endpoint_and_keeps_the_delivery_for_when_it_is_enabled_again() -> None:
    outcome = judged(claimed(ID), answered(410), Standing(), PLAIN, AT)
    assert outcome.standing.disable is DisabledBecause.GONE
    assert outcome.attempted.state is DeliveryState.PENDING


def test_keys_that_cannot_be_opened_end_nothing_and_are_no_failure_of_the_receiver() -> None:
    outcome = hindered(claimed(ID, step=40), OurError.KEY_UNAVAILABLE, Standing(2, AT), PLAIN, AT)
    assert outcome.attempted.attempt.error == "key_unavailable"
    assert outcome.attempted.state is DeliveryState.PENDING
    assert outcome.standing == Standing(2, AT, AT + OUR_PAUSE)
