"""Invopop's words."""

import json
from typing import Any

import pytest

from certpipe.core.errors import Rejected
from certpipe.core.ports.dialect import Action, BodyForm, Denial, Faulty, Outcome
from certpipe.core.problems import INTERNAL, Problem
from certpipe.dialects.invopop import Invopop
from certpipe.ingress import problems as door
from certpipe.sat.problems import CATALOGUE, problem
from schemas.base import Kind
from schemas.status import State
from tests.golden_schemas import assert_fits
from tests.unit.dialects.scene import ARRIVED, GOING, SUPERSEDED, denied, everything, request

DIALECT = Invopop()
REQUEST = request("POST", "/apps/sw-sapien/v1/entry/x/certificate")


def told(outcome: Outcome) -> tuple[int, Any]:
    reply = DIALECT.render(outcome, REQUEST)
    return reply.status, json.loads(reply.body or b"null")


def fault(*problems: Problem) -> tuple[int, Any]:
    return told(Faulty(problems))


def test_it_takes_a_fiel_in_json_and_waits_for_the_pac() -> None:
    assert (DIALECT.kind, DIALECT.until, DIALECT.shape.forms) == (
        Kind.FIEL,
        State.FORWARDED,
        frozenset({BodyForm.JSON}),
    )


def test_success_is_204_and_empty() -> None:
    reply = DIALECT.render(ARRIVED, REQUEST)
    assert (reply.status, reply.body, dict(reply.headers)) == (204, b"", {})


@pytest.mark.parametrize("code", ["cer_unreadable", "wrong_password", "key_mismatch", "missing_field", "bad_base64"])
def test_invalid_data_and_a_key_that_does_not_match_are_400(code: str) -> None:
    status, body = fault(CATALOGUE[code])
    assert (status, body["code"]) == (400, code)


@pytest.mark.parametrize("code", ["expired", "rfc_mismatch", "wrong_kind_csd", "not_issued_by_sat", "pac_rejected"])
def test_a_certificate_that_fails_a_rule_is_422(code: str) -> None:
    status, body = fault(CATALOGUE[code])
    assert (status, body["code"]) == (422, code)


def test_an_unknown_entry_is_404_and_a_failed_upload_500() -> None:
    assert told(denied(Denial.NOT_FOUND))[0] == 404
    assert fault(INTERNAL) == (500, {"code": "internal", "message": "Internal error; try again later"})


def test_what_is_wrong_with_the_request_is_400_whatever_http_has_for_it() -> None:
    for each in (door.BODY_TOO_LARGE, door.TIMED_OUT, door.JSON_NEEDED, door.ENCODED_BODY):
        assert fault(each)[0] == 400


def test_the_states_that_the_document_does_not_know_have_their_usual_statuses() -> None:
    statuses = {denial: told(denied(denial))[0] for denial in Denial}
    assert statuses[Denial.UNAUTHENTICATED] == 401
    assert statuses[Denial.FORBIDDEN] == 403
    assert statuses[Denial.IN_FLIGHT] == 409
    assert statuses[Denial.KEY_REUSED] == 422
    assert statuses[Denial.BUSY] == 503
    assert fault(SUPERSEDED)[0] == 409


def test_fields_tell_what_is_wrong_with_each_under_the_name_on_the_wire() -> None:
    mismatch, weak = CATALOGUE["key_mismatch"].about("key_file"), CATALOGUE["key_roundtrip"].about("key_file")
    status, body = fault(problem("expired", field="cer_file", date="2020-01-01"), mismatch, weak)
    assert status == 400
    assert body == {
        "code": "key_mismatch",
        "message": "cer_file: The certificate expired on 2020-01-01; "
        "key_file: The private key does not match the certificate; key_file: The key failed to sign and verify",
        "fields": {
            "cer_file": "The certificate expired on 2020-01-01",
            "key_file": "The private key does not match the certificate; The key failed to sign and verify",
        },
    }


def test_every_body_has_the_documented_members_and_the_named_additions() -> None:
    for outcome in everything():
        status, body = told(outcome)
        if outcome is GOING:
            assert_fits(body, "invopop", "accepted")
        elif status != 204:
            assert_fits(body, "invopop", "error")


def test_the_standard_key_is_optional() -> None:
    assert DIALECT.asked({}, Action.UPLOAD).idempotency_key is None
    assert DIALECT.asked({"idempotency-key": "k"}, Action.UPLOAD).idempotency_key == "k"
    with pytest.raises(Rejected):
        DIALECT.asked({"idempotency-key": "\x7f"}, Action.UPLOAD)
