"""What a receiver is tried with, judged by the public library of Standard Webhooks."""

import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from certpipe.cli.secretfile import new_secret
from certpipe.cli.webhooks.forgeries import fresh_example, trials
from certpipe.notify.signing import Signer
from schemas.events import Event, EventType


@pytest.mark.parametrize("type_", EventType)
def test_the_public_library_takes_what_must_be_taken_and_refuses_each_forgery(type_: EventType) -> None:
    secret, now = new_secret(), datetime.now(UTC)
    made = list(trials(fresh_example(type_, now), Signer(secret.keys()), Signer(new_secret().keys()), now))
    assert [trial.good for trial in made] == [True, True, False, False, False, False]
    for trial in made:
        try:
            Webhook(secret.text).verify(trial.body, dict(trial.headers))
        except WebhookVerificationError:
            assert not trial.good, trial.name
        else:
            assert trial.good, trial.name


@pytest.mark.parametrize("microsecond", [0, 1, 120_000, 123_456, 999_999])
def test_a_changed_event_is_another_one_and_still_an_event(microsecond: int) -> None:
    now = datetime(2026, 1, 2, 3, 4, 5, microsecond, tzinfo=UTC)
    signer = Signer(new_secret().keys())
    good, _, changed, *_ = trials(fresh_example(EventType.STORED, now), signer, signer, now)
    assert len(good.body) == len(changed.body)
    assert Event.model_validate_json(good.body) != Event.model_validate_json(changed.body)


def test_the_second_time_it_is_the_same_and_another_run_is_another_event() -> None:
    now, signer = datetime.now(UTC), Signer(new_secret().keys())
    event = fresh_example(EventType.ENDPOINT_PING, now)
    first, second, *_ = trials(event, signer, signer, now)
    assert (first.headers, first.body) == (second.headers, second.body)
    assert json.loads(first.body)["id"] == first.headers["webhook-id"]
    assert fresh_example(EventType.ENDPOINT_PING, now).id != event.id


def test_a_forgery_must_be_refused_for_what_it_is_and_a_failure_of_the_receiver_is_no_refusal() -> None:
    now, signer = datetime.now(UTC), Signer(new_secret().keys())
    good, *_, bad = trials(fresh_example(EventType.STORED, now), signer, signer, now)
    assert [good.passed(status) for status in (200, 204, 302, 401, 500, None)] == [True, True, *[False] * 4]
    assert [bad.passed(status) for status in (400, 401, 204, 302, 500, None)] == [True, True, *[False] * 4]
