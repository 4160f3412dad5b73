"""Lummy's words."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from certpipe.core.errors import Rejected
from certpipe.core.ports.dialect import Action, BodyForm, Denial, Faulty, Outcome
from certpipe.core.problems import INTERNAL
from certpipe.dialects.lummy import Lummy
from certpipe.ingress import problems as door
from certpipe.sat.problems import CATALOGUE
from schemas.base import Kind
from schemas.status import State
from tests.golden_schemas import assert_fits
from tests.unit.dialects.scene import ARRIVED, CERTIFICATE, GOING, REMOVED, SHOWN, denied, everything, request

DIALECT = Lummy()
PATH = "/branches/0190a5d2-0000-7000-8000-000000000001/csd"
ORGANIZATION, KEY = uuid4(), uuid4()
HEADERS = {"x-organization-id": str(ORGANIZATION), "x-idempotency": str(KEY)}


def told(outcome: Outcome, method: str = "PUT", path: str = PATH) -> tuple[int, Any]:
    reply = DIALECT.render(outcome, request(method, path))
    return reply.status, json.loads(reply.body)


def test_it_takes_a_csd_in_multipart_and_waits_until_it_is_stored() -> None:
    assert (DIALECT.kind, DIALECT.until, DIALECT.shape.forms) == (
        Kind.CSD,
        State.STORED,
        frozenset({BodyForm.MULTIPART}),
    )


def test_each_route_is_there_with_and_without_the_version() -> None:
    addresses = {(route.method, route.path) for route in DIALECT.routes}
    assert addresses == {
        (method, f"{version}/branches/{{id}}/csd") for method in ("PUT", "GET") for version in ("", "/v1")
    }


def test_success_has_its_members_under_data_and_at_the_top() -> None:
    status, body = told(ARRIVED)
    members = {
        "id": str(CERTIFICATE),
        "serialNumber": "30001000000500003416",
        "validFrom": "2023-05-18T11:43:51.000Z",
        "validTo": "2027-05-18T11:43:51.000Z",
        "status": "active",
    }
    assert status == 200
    assert body == {
        "requestId": "request-1",
        "data": members,
        "timestamp": "2026-11-30T18:00:00.987Z",
        "path": PATH,
        "method": "PUT",
        **members,
    }


def test_the_path_is_told_without_the_version() -> None:
    assert told(ARRIVED, path=f"/v1{PATH}")[1]["path"] == PATH


def test_the_shown_certificate_has_the_names_of_get() -> None:
    status, body = told(SHOWN, "GET")
    assert status == 200
    assert body["data"] == {
        "id": str(CERTIFICATE),
        "certificateNumber": "30001000000500003416",
        "validFrom": "2023-05-18T11:43:51.000Z",
        "validUntil": "2027-05-18T11:43:51.000Z",
        "rfc": "EKU9003173C9",
        "isActive": True,
        "createdAt": "2026-11-30T17:59:58.007Z",
    }
    assert_fits(body, "lummy", "shown")


@pytest.mark.parametrize("code", ["missing_field", "wrong_password", "rfc_mismatch", "expired", "revoked"])
def test_every_fault_of_what_was_sent_is_a_400_in_spanish(code: str) -> None:
    status, body = told(Faulty((CATALOGUE[code],)))
    assert status == 400
    assert (body["error"]["code"], body["error"]["status"]) == ("ValidationError", 400)
    assert CATALOGUE[code].message_es in body["error"]["message"]


@pytest.mark.parametrize(
    ("denial", "status", "code"),
    [
        (Denial.UNAUTHENTICATED, 401, "UnauthorizedException"),
        (Denial.FORBIDDEN, 403, "ForbiddenException"),
        (Denial.NOT_FOUND, 404, "NotFoundException"),
        (Denial.NOTHING_STORED, 404, "NotFoundException"),
        (Denial.IN_FLIGHT, 409, "ConflictException"),
        (Denial.KEY_REUSED, 422, "ValidationError"),
        (Denial.BUSY, 503, "ServiceUnavailableException"),
        (Denial.INTERNAL, 500, "InternalServerErrorException"),
    ],
)
def test_a_denial_has_its_code(denial: Denial, status: int, code: str) -> None:
    told_status, body = told(denied(denial))
    assert (told_status, body["error"]["code"], body["error"]["status"]) == (status, code, status)


def test_a_branch_that_is_not_there_is_told_from_one_without_a_csd() -> None:
    assert told(denied(Denial.NOT_FOUND))[1]["error"]["message"] == "La sucursal no existe"
    assert told(denied(Denial.NOTHING_STORED), "GET")[1]["error"]["message"] == "La sucursal no tiene un CSD"


def test_several_faults_are_told_at_once_each_after_its_field() -> None:
    faults = Faulty((door.DUPLICATE_FIELD.about("cerFile"), CATALOGUE["empty_file"].about("keyFile")))
    assert told(faults)[1]["error"]["message"] == "cerFile: El campo está repetido; keyFile: El archivo está vacío"


def test_every_body_has_the_documented_members_and_the_named_additions() -> None:
    for outcome in everything():
        status, body = told(outcome)
        if outcome is GOING:
            assert_fits(body, "lummy", "accepted")
        elif status == 200 and outcome not in (SHOWN, REMOVED):
            assert_fits(body, "lummy", "uploaded")
        elif status != 200:
            assert_fits(body, "lummy", "error")
            assert body["error"]["status"] == status


def test_the_organization_and_the_key_are_read_from_the_headers() -> None:
    asked = DIALECT.asked(HEADERS, Action.UPLOAD)
    assert (asked.organization_id, asked.idempotency_key) == (ORGANIZATION, str(KEY))


def test_a_key_is_the_same_in_capitals() -> None:
    upper = {**HEADERS, "x-idempotency": str(KEY).upper()}
    assert DIALECT.asked(upper, Action.UPLOAD) == DIALECT.asked(HEADERS, Action.UPLOAD)


def test_a_look_needs_no_key() -> None:
    only = {"x-organization-id": str(ORGANIZATION)}
    assert DIALECT.asked(only, Action.SHOW).idempotency_key is None
    assert DIALECT.asked(HEADERS, Action.SHOW).organization_id == ORGANIZATION


@pytest.mark.parametrize(
    "text", ["", " ", "abc", f"{{{UUID(int=1)}}}", f"urn:uuid:{UUID(int=1)}", UUID(int=1).hex, "é" * 36]
)
@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_is_no_uuid_is_a_fault_of_that_header(name: str, text: str) -> None:
    with pytest.raises(Rejected) as refused:
        DIALECT.asked({**HEADERS, name: text}, Action.UPLOAD)
    assert [(each.field, each.status) for each in refused.value.problems] == [(name, 400)]


def test_both_missing_headers_are_told_at_once() -> None:
    with pytest.raises(Rejected) as refused:
        DIALECT.asked({}, Action.UPLOAD)
    body = told(Faulty(refused.value.problems))[1]
    assert body["error"]["message"] == "x-organization-id: Falta la cabecera; x-idempotency: Falta la cabecera"


def test_an_internal_fault_tells_nothing() -> None:
    assert told(Faulty((INTERNAL,)))[1]["error"]["message"] == "Error interno; intente más tarde"
