"""What is asked of every dialect."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from jsonschema import Draft202012Validator

from certpipe.core.ports.dialect import Action, Arrived, Denial, Dialect, Faulty, Removed, Reply, Shown
from certpipe.dialects import DIALECTS
from tests.unit.dialects.scene import ARRIVED, EVERY_PROBLEM, GOING, denied, everything, request


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    return DIALECTS[request.param]


def test_a_dialect_is_registered_under_its_name(dialect: Dialect) -> None:
    assert DIALECTS[dialect.name] is dialect


def test_every_outcome_and_every_problem_has_an_answer_that_is_described(dialect: Dialect) -> None:
    """With the body that was described, in UTF-8 JSON, on every route."""
    for route in dialect.routes:
        described = {answer.status: answer for answer in route.answers}
        for outcome in everything():
            reply = dialect.render(outcome, request(route.method, route.path))
            if not _possible(route.action, outcome) or reply.status == 405:
                continue
            answer = described[reply.status]
            if answer.schema is None:
                assert reply.body == b""
            else:
                Draft202012Validator(answer.schema).validate(json.loads(reply.body))
                assert reply.content_type == "application/json"


def _possible(action: Action, outcome: object) -> bool:
    """Whether this route can end so: a fault of an upload does not come of looking."""
    successes = {Action.UPLOAD: Arrived, Action.SHOW: Shown, Action.REMOVE: Removed}
    if action is Action.UPLOAD:
        return not isinstance(outcome, Shown | Removed)
    return isinstance(outcome, successes[action])


def test_every_denial_of_a_look_or_a_removal_is_described(dialect: Dialect) -> None:
    for route in dialect.routes:
        for denial in set(Denial) - {Denial.IN_FLIGHT, Denial.KEY_REUSED}:
            reply = dialect.render(denied(denial), request(route.method, route.path))
            assert reply.status in {answer.status for answer in route.answers}


def test_only_an_upload_is_described_with_answers_to_a_key(dialect: Dialect) -> None:
    for route in dialect.routes:
        described = {answer.status for answer in route.answers}
        assert ({409, 422} <= described) if route.action is Action.UPLOAD else not ({409, 422} & described)


def test_the_same_outcome_is_the_same_to_the_byte_but_for_the_id_and_the_time_of_the_request(dialect: Dialect) -> None:
    first = request("PUT", "/branches/x/csd")
    later = replace(first, request_id="request-2", at=first.at + timedelta(hours=1))
    earlier, repeated = (dialect.render(ARRIVED, each) for each in (first, later))
    expected = earlier.body.replace(b"request-1", b"request-2").replace(b"T18:00:00.987Z", b"T19:00:00.987Z")
    assert repeated == replace(earlier, body=expected)


def test_what_goes_on_is_a_202_that_says_where_to_look(dialect: Dialect) -> None:
    reply = dialect.render(GOING, request("PUT", "/x"))
    assert reply.status == 202
    assert reply.headers["Location"] == GOING.location
    assert reply.headers["Retry-After"] == "2"


def test_the_headers_of_a_denial_go_out(dialect: Dialect) -> None:
    reply = dialect.render(denied(Denial.UNAUTHENTICATED, **{"WWW-Authenticate": "Bearer"}), request("PUT", "/x"))
    assert reply.status == 401
    assert reply.headers["WWW-Authenticate"] == "Bearer"


def test_a_problem_is_never_a_success(dialect: Dialect) -> None:
    for problem in EVERY_PROBLEM:
        assert _faulty(dialect, problem).status >= 400


def _faulty(dialect: Dialect, problem: object) -> Reply:
    return dialect.render(Faulty((problem,)), request("PUT", "/x"))  # type: ignore[arg-type]
