"""What an answer of SW means: by status and structure, never by its words."""

import json
from datetime import UTC, datetime

import pytest

from certpipe.connectors.sw.answers import MOST_WORDS, Answer, looked_up, refused_login, seconds_to_wait, success
from certpipe.core.discretion import CUT
from certpipe.core.errors import CertpipeError, Rejected, Unavailable, Uncertain
from schemas.status import Actor

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ERROR = {"message": "Certificados", "messageDetail": "Te hacen falta archivos", "data": None, "status": "error"}
HTML = b"<html><body>503</body></html>"


def answer(status: int, body: object = b"", retry_after: str | None = None) -> Answer:
    return Answer(status, body if isinstance(body, bytes) else json.dumps(body).encode(), retry_after)


def meaning(one: Answer) -> CertpipeError:
    with pytest.raises(CertpipeError) as caught:
        success(one, NOW)
    return caught.value


def test_a_success_gives_its_envelope() -> None:
    assert success(answer(200, {"status": "success", "data": 1}), NOW)["data"] == 1


@pytest.mark.parametrize("status", [200, 400, 409, 422])
def test_an_error_envelope_is_a_refusal_with_both_halves_of_the_message(status: int) -> None:
    refused = meaning(answer(status, ERROR))
    assert type(refused) is Rejected
    problem = refused.problems[0]
    assert (problem.code, problem.actor, problem.status) == ("pac_rejected", Actor.SUBMITTER, 422)
    assert problem.provider_message == "Certificados - Te hacen falta archivos"
    assert problem.provider_code == str(status)


def test_a_message_without_a_status_is_an_error_envelope_too() -> None:
    assert type(meaning(answer(400, {"message": "no"}))) is Rejected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        HTML,
        b"[]",
        b"null",
        b"{",
        {"status": "ok"},
        {"data": 1},
        {"status": 1, "message": "x"},
        b"[" * 100_000,
        b"\xff",
    ],
)
def test_a_success_that_makes_no_sense_is_uncertain(body: object) -> None:
    unreadable = meaning(answer(200, body))
    assert type(unreadable) is Uncertain
    assert unreadable.problems[0].code == "pac_unreadable"


def test_an_answer_that_was_too_long_to_read_is_uncertain() -> None:
    assert type(meaning(Answer(200, None))) is Uncertain


@pytest.mark.parametrize("body", [b"", HTML, b"[]", {"status": "success"}])
@pytest.mark.parametrize("status", [400, 409, 422])
def test_a_refusal_without_an_error_envelope_is_no_refusal(status: int, body: object) -> None:
    assert type(meaning(answer(status, body))) is Unavailable


@pytest.mark.parametrize(
    ("status", "code", "actor"),
    [
        (301, "pac_address", Actor.OPERATOR),
        (307, "pac_address", Actor.OPERATOR),
        (401, "pac_auth", Actor.OPERATOR),
        (403, "pac_forbidden", Actor.OPERATOR),
        (404, "pac_address", Actor.OPERATOR),
        (405, "pac_address", Actor.OPERATOR),
        (408, "pac_unavailable", Actor.PROVIDER),
        (413, "pac_unreadable", Actor.PROVIDER),
        (425, "pac_unavailable", Actor.PROVIDER),
        (429, "pac_rate_limited", Actor.PROVIDER),
        (500, "pac_unavailable", Actor.PROVIDER),
        (503, "pac_unavailable", Actor.PROVIDER),
    ],
)
@pytest.mark.parametrize("body", [HTML, ERROR])
def test_every_other_status_did_not_happen(status: int, code: str, actor: Actor, body: object) -> None:
    obstacle = meaning(answer(status, body, "9"))
    assert isinstance(obstacle, Unavailable)
    assert (obstacle.problems[0].code, obstacle.problems[0].actor, obstacle.retry_after) == (code, actor, 9.0)


def test_a_gateway_that_gave_up_waiting_proves_nothing() -> None:
    assert type(meaning(answer(504, HTML))) is Uncertain


def test_the_providers_words_are_bounded_and_hold_no_control_characters() -> None:
    words = meaning(answer(400, {"status": "error", "message": "a\r\n\x1b[31m\u202eb" + "x" * 5_000})).problems[0]
    assert words.provider_message is not None
    assert words.provider_message.startswith("a [31m b")
    assert len(words.provider_message) == MOST_WORDS
    assert words.provider_message.endswith(CUT)


@pytest.mark.parametrize(
    ("envelope", "code"),
    [
        ({"message": "AU2000 - El usuario"}, "AU2000"),
        ({"message": "x", "code": "CE77"}, "CE77"),
        ({"message": "x", "code": 77}, "77"),
        ({"message": "x", "code": None}, "400"),
        ({"message": "x", "code": {}}, "400"),
        ({"message": 7, "messageDetail": ["x"], "status": "error"}, "400"),
    ],
)
def test_the_providers_code_is_its_own_or_else_the_status(envelope: dict[str, object], code: str) -> None:
    assert meaning(answer(400, {"status": "error"} | envelope)).problems[0].provider_code == code


@pytest.mark.parametrize("status", [200, 400, 404])
def test_an_error_envelope_is_how_a_lookup_finds_nothing(status: int) -> None:
    assert looked_up(answer(status, ERROR), NOW) is None


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, HTML), (400, HTML), (200, HTML), (200, b""), (500, ERROR), (504, b""), (403, ERROR), (409, ERROR)],
)
def test_a_lookup_that_was_not_answered_cannot_tell(status: int, body: object) -> None:
    with pytest.raises(Unavailable):
        looked_up(answer(status, body), NOW)


@pytest.mark.parametrize(
    ("one", "bad"),
    [
        (answer(401), True),
        (answer(403, HTML), True),
        (answer(400, ERROR), True),
        (answer(200, ERROR), True),
        (answer(404, HTML), False),
        (answer(429, ERROR), False),
        (answer(500, ERROR), False),
        (answer(200, {"status": "success"}), False),
    ],
)
def test_bad_credentials_are_told_from_a_service_that_is_away(one: Answer, *, bad: bool) -> None:
    assert refused_login(one) is bad


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        (" 120 ", 120.0),
        ("9" * 400, 999_999_999.0),
        ("Thu, 01 Jan 2026 00:02:00 GMT", 120.0),
        ("Thu, 01 Jan 2026 00:02:00 -0000", 120.0),
        ("Wed, 31 Dec 2025 00:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("²", None),
    ],
)
def test_how_long_to_wait_is_seconds_or_a_date(text: str | None, seconds: float | None) -> None:
    assert seconds_to_wait(text, NOW) == seconds


def test_an_answer_does_not_show_its_body() -> None:
    assert "secret" not in repr(answer(200, b"secret"))
