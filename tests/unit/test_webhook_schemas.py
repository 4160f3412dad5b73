"""What may be posted of webhook endpoints."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel, ValidationError

from certpipe.ingress.jsonbody import faults
from schemas.events import EventType
from schemas.webhooks import MOST_PLACE, ReplayBody, RotateBody, WebhookBody, WebhookChange

SECRET = "s3cr3t-Nandu-0123"
ASCII = "Printable ASCII, without blanks at its ends"
NEEDED = {"organization_id": "0199b0c2-5a00-7000-8000-000000000001", "url": "https://erp.example/"}


def told(model: type[BaseModel], **members: Any) -> list[tuple[str, str | None, str | None]]:
    """Each fault: its code, its field, and what helps."""
    with pytest.raises(ValidationError) as refused:
        model.model_validate_json(json.dumps(members))
    problems = faults(refused.value)
    assert SECRET not in repr(problems)
    return [(each.code, each.field, each.hint) for each in problems]


def made(**members: Any) -> WebhookBody:
    return WebhookBody.model_validate_json(json.dumps({**NEEDED, **members}))


def test_what_is_left_out_has_its_default() -> None:
    body = made()
    assert (body.types, body.description, body.headers) == (None, "", {})


def test_a_type_that_is_named_twice_counts_once_and_the_order_stays() -> None:
    body = made(types=["upload.rejected", "upload.received", "upload.rejected"])
    assert body.types == (EventType.REJECTED, EventType.RECEIVED)


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"types": []}, ("types", "At least 1")),
        ({"types": ["upload.received"] * 100}, ("types", "At most 18")),
        ({"types": "upload.received"}, ("types", "A list")),
        ({"url": ""}, ("url", "At least 1 characters")),
        ({"url": "https://a/" + "x" * 2_048}, ("url", "At most 2048 characters")),
        ({"url": None}, ("url", "This field is a text")),
        ({"description": "a\nb"}, ("description", "One line of printable characters, and not only blanks")),
        ({"headers": [SECRET]}, ("headers", "An object")),
        ({"headers": {f"X-{n}": SECRET for n in range(21)}}, ("headers", "At most 20")),
        ({"headers": {"X-Team": [SECRET]}}, ("headers.X-Team", "This field is a text")),
        ({"headers": {"X-Team": SECRET + "\r\nX: y"}}, ("headers.X-Team", ASCII)),
        ({"headers": {"X-Team": SECRET + "\u00e1"}}, ("headers.X-Team", ASCII)),
        ({"headers": {"X-Team": SECRET * 200}}, ("headers.X-Team", "At most 2000 characters")),
        ({"organization_id": "mine"}, ("organization_id", "This field is a UUID")),
    ],
)
def test_a_fault_is_told_by_its_field(change: dict[str, Any], wanted: tuple[str, str]) -> None:
    assert told(WebhookBody, **{**NEEDED, **change}) == [("invalid_field", *wanted)]


@pytest.mark.parametrize("name", [f"Bearer {SECRET}", f"{SECRET}:", f"{SECRET}\r\n", "\u0130", "", SECRET * 10])
def test_a_name_that_is_none_is_not_told_back(name: str) -> None:
    (fault,) = told(WebhookBody, **NEEDED, headers={name: "x"})
    assert fault[:2] == ("invalid_field", "headers")
    assert fault[2]


def test_an_unknown_type_is_told_with_those_that_there_are() -> None:
    first = told(WebhookBody, **NEEDED, types=["upload.lost"])[0]
    assert first[:2] == ("invalid_field", "types.0")
    assert all(each in str(first[2]) for each in EventType)


def test_headers_are_in_no_repr() -> None:
    assert SECRET not in repr(made(headers={"Authorization": SECRET}))
    assert SECRET not in repr(WebhookChange(headers={"Authorization": SECRET}))


def test_a_change_tells_null_from_absent() -> None:
    assert WebhookChange.model_validate_json('{"types": null}').model_fields_set == {"types"}
    assert WebhookChange.model_validate_json("{}").model_fields_set == set()


@pytest.mark.parametrize("hours", [-1, 169, 1.5, "24", True])
def test_an_overlap_is_a_number_of_hours_up_to_a_week(hours: Any) -> None:
    assert [each[1] for each in told(RotateBody, overlap_hours=hours)] == ["overlap_hours"]


def test_a_whole_number_may_be_written_with_a_fraction_of_zero() -> None:
    assert RotateBody.model_validate_json('{"overlap_hours": 24.0}') == RotateBody(overlap_hours=24)


def test_the_published_schema_refuses_the_names_of_headers_that_the_contract_refuses() -> None:
    schema = Draft202012Validator(WebhookBody.model_json_schema())
    for name, good in (("X-Team", True), ("X Team", False), ("", False), ("x" * 101, False)):
        assert schema.is_valid({**NEEDED, "headers": {name: "x"}}) == good


def test_a_time_may_be_written_in_any_zone() -> None:
    body = ReplayBody.model_validate_json('{"since": "2026-01-15T10:20:00-06:00"}')
    assert body.since == datetime(2026, 1, 15, 16, 20, tzinfo=UTC)


@pytest.mark.parametrize("at", [0, 1_700_000_000, "1700000000", "2026-01-15", "2026-01-15T16:20:00", "now", "", []])
def test_a_time_is_written_as_rfc_3339_does(at: Any) -> None:
    ((_, field, hint),) = told(ReplayBody, since=at)
    assert field == "since"
    assert "2026-01-15T16:20:00Z" in str(hint)


@pytest.mark.parametrize("after", [-1, MOST_PLACE + 1, 10**30, "1", 1.5, True])
def test_a_place_is_a_number_that_the_database_can_hold(after: Any) -> None:
    assert [each[1] for each in told(ReplayBody, failed=True, after=after)] == ["after"]
