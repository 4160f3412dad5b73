"""Timbrix's words."""

import json
from typing import Any

import pytest

from certpipe.core.ports.dialect import Action, BodyForm, Denial, Faulty, Outcome
from certpipe.core.ports.directory import PartyKind, Role
from certpipe.core.problems import INTERNAL
from certpipe.dialects.timbrix import Timbrix
from certpipe.ingress import problems as door
from certpipe.sat.problems import CATALOGUE
from schemas.base import Kind
from schemas.status import State
from tests.golden_schemas import assert_fits
from tests.unit.dialects.scene import ARRIVED, GOING, REMOVED, SHOWN, SUPERSEDED, denied, everything, request

DIALECT = Timbrix()
REQUEST = request("PUT", "/organizations/x/certificates")


def told(outcome: Outcome) -> tuple[int, Any]:
    reply = DIALECT.render(outcome, REQUEST)
    return reply.status, json.loads(reply.body)


def test_it_takes_a_csd_of_its_owner_in_multipart_with_extensions() -> None:
    shape = DIALECT.shape
    assert (DIALECT.kind, DIALECT.until, shape.forms) == (Kind.CSD, State.STORED, frozenset({BodyForm.MULTIPART}))
    assert DIALECT.roles == {Role.OWNER}
    assert DIALECT.parties == {PartyKind.ORGANIZATION}
    assert shape.extensions


def test_success_tells_what_was_read_and_when_it_was_stored() -> None:
    assert told(ARRIVED) == (
        200,
        {
            "certificateSerialNumber": "30001000000500003416",
            "certificateExpiresAt": "2027-05-18T11:43:51.000Z",
            "certificateUpdatedAt": "2026-11-30T17:59:58.007Z",
            "rfc": "EKU9003173C9",
        },
    )


def test_a_removal_leaves_the_same_members_empty() -> None:
    status, body = told(REMOVED)
    assert status == 200
    assert_fits(body, "timbrix", "removed")


@pytest.mark.parametrize("code", ["wrong_file_type", "cer_unreadable", "wrong_password", "expired", "rfc_mismatch"])
def test_every_fault_of_what_was_sent_is_a_400(code: str) -> None:
    status, body = told(Faulty((CATALOGUE[code],)))
    assert (status, body["statusCode"], body["error"], body["code"]) == (400, 400, "Bad Request", code)


def test_too_much_or_the_wrong_form_is_a_400_too() -> None:
    for each in (door.BODY_TOO_LARGE, door.UNSUPPORTED_MEDIA_TYPE, CATALOGUE["file_too_large"]):
        assert told(Faulty((each,)))[0] == 400


@pytest.mark.parametrize(
    ("denial", "status"),
    [
        (Denial.UNAUTHENTICATED, 401),
        (Denial.FORBIDDEN, 403),
        (Denial.NOT_FOUND, 404),
        (Denial.NOTHING_STORED, 400),
        (Denial.IN_FLIGHT, 409),
        (Denial.KEY_REUSED, 422),
        (Denial.BUSY, 503),
        (Denial.INTERNAL, 500),
    ],
)
def test_a_denial_has_its_status(denial: Denial, status: int) -> None:
    told_status, body = told(denied(denial))
    assert (told_status, body["statusCode"]) == (status, status)


def test_who_is_not_the_owner_is_told_so() -> None:
    assert told(denied(Denial.FORBIDDEN))[1]["message"] == "Only the owner of the organization may do this"


def test_an_overtaken_upload_is_a_conflict_and_a_failed_one_internal() -> None:
    assert told(Faulty((SUPERSEDED,)))[0] == 409
    assert told(Faulty((INTERNAL,)))[0] == 500


def test_every_body_has_the_documented_members_and_the_named_additions() -> None:
    for outcome in everything():
        status, body = told(outcome)
        if outcome is GOING:
            assert_fits(body, "timbrix", "accepted")
        elif outcome is not REMOVED:
            assert_fits(body, "timbrix", "uploaded" if status == 200 else "error")
    assert_fits(told(SHOWN)[1], "timbrix", "uploaded")


def test_the_standard_key_is_optional() -> None:
    assert DIALECT.asked({}, Action.REMOVE).idempotency_key is None
    assert DIALECT.asked({"idempotency-key": "k"}, Action.UPLOAD).idempotency_key == "k"
