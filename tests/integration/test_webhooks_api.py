"""Managing webhook endpoints by HTTP, over the real store, with real seals and the real guard."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from certpipe.core.ids import uuid7
from schemas.events import EventType
from schemas.webhooks import MOST_ENDPOINTS, DisabledBecause
from tests.integration.webhook_door import URL, WebhookDoor, path, webhook_door

SECRET = "s3cr3t-Nandu-0123"
OTHER_URL = "https://other.example/hook"
UNKNOWN = {"id": str(uuid7())}
MANAGING = [
    ("PATCH", "", {"description": "x"}),
    ("DELETE", "", None),
    ("POST", "/rotate", None),
    ("POST", "/revoke", None),
    ("POST", "/ping", None),
    ("POST", "/deliveries/1/replay", None),
    ("POST", "/replay", {"failed": True}),
]
READING = [("GET", "", None), ("GET", "/deliveries", None)]


@pytest.fixture
async def there(database_url: str, tmp_path: Path) -> AsyncIterator[WebhookDoor]:
    async with webhook_door(database_url, tmp_path / "keys") as opened:
        yield opened


def codes(problem: Any) -> list[tuple[str, str | None]]:
    """The faults by code and field; all of them in both languages."""
    assert all(each["message_es"] and each["message_en"] for each in problem["errors"])
    return [(each["code"], each.get("field")) for each in problem["errors"]]


async def test_a_new_endpoint_is_told_with_its_secret_once(there: WebhookDoor) -> None:
    body = there.body(types=["certificate.stored"], description="ERP", headers={"X-Team": SECRET})
    async with there.door.call("POST", "/v1/webhooks", json=body) as answer:
        created = await answer.json()
        assert (answer.status, answer.headers["Location"]) == (201, path(created))
    secret = created.pop("secret")
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert created["public_key"].startswith("whpk_")
    assert {name: created[name] for name in body} == {**body, "headers": ["X-Team"]}
    assert created["enabled"]
    assert datetime.fromisoformat(created["created_at"]) == there.clock.now()
    assert await there.shown(created) == created
    assert await there.asks("GET") == (200, {"items": [created]})
    assert SECRET not in json.dumps(created)


async def test_two_endpoints_have_two_secrets(there: WebhookDoor) -> None:
    one, other = await there.made(), await there.made(url=OTHER_URL)
    assert one["secret"] != other["secret"]
    assert one["public_key"] != other["public_key"]


async def test_no_secret_and_no_header_is_logged_or_told_in_a_refusal(
    there: WebhookDoor, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    made = await there.made(headers={"X-Team": SECRET})
    told = [await there.asks("POST", path(made, "/rotate"))]
    for change in (
        {"headers": {"Host": SECRET}},
        {"headers": {"X-Team": SECRET + "\n"}},
        {"headers": {f"Bearer {SECRET}": "x"}},
        {"headers": SECRET},
        {"headers": {"X-Team": {"x": SECRET}}},
    ):
        for method, where in (("POST", "/v1/webhooks"), ("PATCH", path(made))):
            body = there.body(**change) if method == "POST" else change
            status, problem = await there.asks(method, where, json=body)
            assert status in {400, 422}
            assert SECRET not in json.dumps(problem)
    assert SECRET not in caplog.text
    for secret in (made["secret"], told[0][1]["secret"]):
        assert secret.removeprefix("whsec_") not in caplog.text


async def test_the_database_holds_neither_secret_nor_header(there: WebhookDoor) -> None:
    made = await there.made(headers={"X-Team": SECRET})
    row = await there.house.database.fetchrow("SELECT endpoints::text AS text FROM certpipe.endpoints")
    assert row is not None
    key = base64.b64decode(made["secret"].removeprefix("whsec_"))
    for held in (SECRET.encode().hex(), SECRET, made["secret"], key.hex()):
        assert held not in row["text"]


@pytest.mark.parametrize(("method", "rest", "body"), MANAGING)
async def test_a_member_reads_but_does_not_manage(
    there: WebhookDoor, method: str, rest: str, body: dict[str, Any] | None
) -> None:
    made = await there.made()
    before = await there.shown(made)
    status, problem = await there.asks(method, path(made, rest), subject="mario", json=body)
    assert (status, codes(problem)) == (403, [("forbidden", None)])
    assert "owners and admins" in problem["errors"][0]["hint"]
    assert await there.asks("GET", path(made), subject="mario") == (200, before)
    assert (await there.asks("GET", path(made, "/deliveries"), subject="mario"))[0] == 200
    assert (await there.asks("POST", subject="mario", json=there.body(url=OTHER_URL)))[0] == 403


@pytest.mark.parametrize(("method", "rest", "body"), [*MANAGING, *READING])
async def test_what_is_anothers_is_as_unknown_as_a_random_id(
    there: WebhookDoor, method: str, rest: str, body: dict[str, Any] | None
) -> None:
    made = await there.made()
    before = await there.shown(made)
    answers = []
    for endpoint in (UNKNOWN, made):
        status, problem = await there.asks(method, path(endpoint, rest), subject="stranger", json=body)
        assert (status, codes(problem)) == (404, [("not_found", None)])
        answers.append({**problem, "instance": ""})
    assert answers[0] == answers[1]
    assert await there.shown(made) == before


@pytest.mark.parametrize(("method", "rest", "body"), MANAGING)
async def test_an_admin_manages(there: WebhookDoor, method: str, rest: str, body: dict[str, Any] | None) -> None:
    made = await there.made()
    await there.pinged(made)
    (delivery,) = (await there.log(made))["items"]
    rest = rest.replace("/1/", f"/{delivery['id']}/")
    status, answer = await there.asks(method, path(made, rest), subject="ada", json=body)
    assert status in {200, 202, 204}, answer


async def test_nobody_makes_an_endpoint_in_an_organization_that_he_is_not_in(there: WebhookDoor) -> None:
    status, problem = await there.asks("POST", subject="stranger", json=there.body())
    assert (status, codes(problem)) == (404, [("target_not_found", "organization_id")])
    body = {"organization_id": str(there.elsewhere.id), "url": URL}
    assert (await there.asks("POST", subject="both", json=body))[0] == 403


async def test_the_list_is_of_the_senders_organizations_or_of_one(there: WebhookDoor) -> None:
    mine = await there.made()
    body = {"organization_id": str(there.elsewhere.id), "url": URL}
    status, theirs = await there.asks("POST", subject="stranger", json=body)
    assert status == 201

    async def listed(subject: str, query: str = "") -> list[str]:
        status, answer = await there.asks("GET", f"/v1/webhooks{query}", subject=subject)
        assert status == 200
        return [each["id"] for each in answer["items"]]

    assert await listed("olivia") == await listed("mario") == [mine["id"]]
    assert await listed("stranger") == [theirs["id"]]
    assert sorted(await listed("both")) == sorted([mine["id"], theirs["id"]])
    assert await listed("both", f"?organization_id={there.elsewhere.id}") == [theirs["id"]]
    status, problem = await there.asks("GET", f"/v1/webhooks?organization_id={there.elsewhere.id}")
    assert (status, codes(problem)) == (404, [("target_not_found", "organization_id")])


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"url": OTHER_URL, "headers": {}}, {"url": OTHER_URL, "headers": []}),
        ({"types": ["upload.failed", "upload.failed"]}, {"types": ["upload.failed"]}),
        ({"types": None}, {"types": None}),
        ({"description": ""}, {"description": ""}),
        ({"headers": {"X-New": "1", "X-Newer": ""}}, {"headers": ["X-New", "X-Newer"]}),
        ({"headers": {}}, {"headers": []}),
        ({}, {}),
        ({"url": None, "description": None, "headers": None, "enabled": None}, {}),
    ],
)
async def test_a_change_changes_what_was_sent_and_nothing_else(
    there: WebhookDoor, change: dict[str, Any], wanted: dict[str, Any]
) -> None:
    made = await there.made(types=["certificate.stored"], description="ERP", headers={"X-Team": "tax"})
    before = await there.shown(made)
    there.clock.advance(60)
    status, after = await there.asks("PATCH", path(made), json=change)
    changed = {"updated_at": after["updated_at"]} if wanted else {}
    assert (status, after) == (200, {**before, **wanted, **changed})
    assert await there.shown(made) == after
    assert ("updated_at" in changed) == (after["updated_at"] != before["updated_at"])


async def test_an_endpoint_is_disabled_and_enabled_by_its_owner(there: WebhookDoor) -> None:
    made = await there.made()
    _, off = await there.asks("PATCH", path(made), json={"enabled": False})
    assert (off["enabled"], off["disabled_because"]) == (False, DisabledBecause.OWNER)
    status, problem = await there.asks("POST", path(made, "/ping"))
    assert (status, codes(problem)) == (409, [("endpoint_disabled", None)])
    assert "enabled" in problem["errors"][0]["hint"]
    _, on = await there.asks("PATCH", path(made), json={"enabled": True})
    assert (on["enabled"], on["disabled_because"], on["disabled_at"]) == (True, None, None)
    await there.pinged(made)


REFUSED = [
    "http://erp.example/",
    "https://10.0.0.1/",
    "https://inside.example/",
    "https://nowhere.example/",
    "https://user:secret@erp.example/",
    "https://erp.example:22/",
    "ftp://erp.example/",
    "https://[::ffff:127.0.0.1]/",
    "https://2130706433/",
    "/hook",
    "https://erp.example/\x00",
    "https://",
]


@pytest.mark.parametrize("url", REFUSED)
async def test_an_address_that_nothing_is_sent_to_is_refused_when_it_is_given(there: WebhookDoor, url: str) -> None:
    made = await there.made()
    for method, where, body in (
        ("POST", "/v1/webhooks", there.body(url=url)),
        ("PATCH", path(made), {"url": url, "description": "x"}),
    ):
        status, problem = await there.asks(method, where, json=body)
        assert status == 422
        assert [each[1] for each in codes(problem)] == ["url"]
        assert problem["errors"][0]["hint"]
        assert "secret" not in json.dumps(problem)
    assert len((await there.asks("GET"))[1]["items"]) == 1
    assert (await there.shown(made))["description"] == ""


async def test_every_fault_of_an_endpoint_is_told_at_once(there: WebhookDoor) -> None:
    headers = {"Webhook-Id": "1", "Host": "2", "X-Team": "3", "x-team": "4"}
    status, problem = await there.asks("POST", json=there.body(url="https://10.0.0.1/", headers=headers))
    assert status == 422
    assert codes(problem) == [
        ("forbidden_address", "url"),
        ("reserved_header", "headers.Webhook-Id"),
        ("reserved_header", "headers.Host"),
        ("duplicate_header", "headers.x-team"),
    ]


async def test_headers_of_the_greatest_length_are_taken_and_more_are_not(there: WebhookDoor) -> None:
    longest = {f"X-{number:098}": "v" * 2_000 for number in range(20)}
    assert len((await there.made(headers=longest))["headers"]) == 20
    body = there.body(url=OTHER_URL, headers=dict.fromkeys(longest, "v" * 4_000))
    status, problem = await there.asks("POST", json=body)
    assert (status, codes(problem)) == (413, [("body_too_large", None)])


async def test_a_second_endpoint_at_an_address_is_refused_by_the_name_of_the_first(there: WebhookDoor) -> None:
    """So that a client whose answer was lost finds what it made, and rotates to a secret that it knows."""
    first, second = await there.made(), await there.made(url=OTHER_URL)
    for method, where, body in (
        ("POST", "/v1/webhooks", there.body(description="again")),
        ("PATCH", path(second), {"url": URL}),
    ):
        async with there.door.call(method, where, json=body) as answer:
            problem = await answer.json()
            assert (answer.status, codes(problem)) == (409, [("endpoint_exists", "url")])
            assert answer.headers["Location"] == path(first)
            assert first["id"] in problem["errors"][0]["hint"]
    assert (await there.asks("PATCH", path(first), json={"url": URL}))[0] == 200
    body = {"organization_id": str(there.elsewhere.id), "url": URL}
    assert (await there.asks("POST", subject="stranger", json=body))[0] == 201
    await there.asks("DELETE", path(first))
    await there.made()


async def test_of_many_who_want_an_address_at_the_same_instant_one_gets_it(there: WebhookDoor) -> None:
    posted = await asyncio.gather(*(there.asks("POST", json=there.body()) for _ in range(8)))
    assert sorted(status for status, _ in posted) == [201, *[409] * 7]
    (there_is,) = (view for status, view in posted if status == 201)
    for status, problem in posted:
        if status == 409:
            assert codes(problem) == [("endpoint_exists", "url")]
            assert there_is["id"] in problem["errors"][0]["hint"]
    others = [await there.made(url=f"{OTHER_URL}/{number}") for number in range(6)]
    patched = await asyncio.gather(*(there.asks("PATCH", path(each), json={"url": OTHER_URL}) for each in others))
    assert sorted(status for status, _ in patched) == [200, *[409] * 5]
    shown = [view["url"] for view in (await there.asks("GET"))[1]["items"]]
    assert len(shown) == len(set(shown)) == 7


async def test_an_organization_has_so_many_endpoints_and_no_more(there: WebhookDoor) -> None:
    for number in range(MOST_ENDPOINTS):
        made = await there.made(url=f"{URL}/{number}")
    status, problem = await there.asks("POST", json=there.body())
    assert (status, codes(problem)) == (409, [("too_many_endpoints", None)])
    await there.asks("DELETE", path(made))
    await there.made()


async def test_what_is_removed_is_gone_at_once(there: WebhookDoor) -> None:
    made = await there.made()
    assert await there.asks("DELETE", path(made)) == (204, None)
    assert await there.asks("GET") == (200, {"items": []})
    for method, rest, body in [*MANAGING, *READING]:
        assert (await there.asks(method, path(made, rest), json=body))[0] == 404


@pytest.mark.parametrize(
    ("options", "hours"),
    [({}, 24), ({"json": {}}, 24), ({"json": {"overlap_hours": 1}}, 1), ({"json": {"overlap_hours": 168}}, 168)],
)
async def test_a_rotation_gives_new_keys_and_says_until_when_the_old_ones_sign(
    there: WebhookDoor, options: dict[str, Any], hours: int
) -> None:
    made = await there.made()
    status, rotated = await there.asks("POST", path(made, "/rotate"), **options)
    assert status == 200
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != made["secret"]
    assert rotated["public_key"] != made["public_key"]
    until = datetime.fromisoformat(rotated["previous_secret_until"])
    assert until == there.clock.now() + timedelta(hours=hours)
    del rotated["secret"]
    assert await there.shown(made) == rotated


async def test_a_rotation_amid_another_is_refused_until_the_old_secret_is_revoked(there: WebhookDoor) -> None:
    made = await there.made()
    assert (await there.asks("POST", path(made, "/rotate")))[0] == 200
    status, problem = await there.asks("POST", path(made, "/rotate"))
    assert (status, codes(problem)) == (409, [("rotation_in_progress", None)])
    status, revoked = await there.asks("POST", path(made, "/revoke"))
    assert (status, revoked["previous_secret_until"]) == (200, None)
    assert (await there.asks("POST", path(made, "/rotate"), json={"overlap_hours": 0}))[0] == 200
    assert (await there.asks("POST", path(made, "/rotate")))[0] == 200


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"data": b"x", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"json": {"overlap_hours": 169}}, 400),
        ({"json": {"hours": 1}}, 400),
        ({"json": []}, 400),
    ],
)
async def test_a_rotation_with_a_bad_body_is_none(there: WebhookDoor, sent: dict[str, Any], status: int) -> None:
    made = await there.made()
    assert (await there.asks("POST", path(made, "/rotate"), **sent))[0] == status
    assert (await there.shown(made))["public_key"] == made["public_key"]


async def test_a_ping_stands_in_the_log_of_its_endpoint_alone(there: WebhookDoor) -> None:
    made, other = await there.made(), await there.made(url=OTHER_URL)
    (event_id,) = await there.pinged(made)
    assert event_id.startswith("evt_")
    (delivery,) = (await there.log(made))["items"]
    assert (delivery["event_id"], delivery["type"], delivery["state"]) == (
        event_id,
        EventType.ENDPOINT_PING,
        "pending",
    )
    assert await there.log(other) == {"items": [], "next": None}
    assert (await there.asks("POST", path(other, f"/deliveries/{delivery['id']}/replay")))[0] == 404


async def test_the_log_is_read_page_by_page_newest_first_and_filtered(there: WebhookDoor) -> None:
    made = await there.made()
    ids = await there.pinged(made, 5)
    pages, query = [], "?limit=2"
    while query:
        page = await there.log(made, query)
        pages.append([each["event_id"] for each in page["items"]])
        query = f"?limit=2&cursor={page['next']}" if page["next"] is not None else ""
    assert pages == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]
    (only,) = (await there.log(made, f"?event_id={ids[1]}"))["items"]
    assert only["event_id"] == ids[1]
    assert len((await there.log(made, "?state=pending"))["items"]) == 5
    assert (await there.log(made, "?state=failed"))["items"] == []
    assert (await there.log(made, f"?event_id=evt_{uuid7().hex}_1"))["items"] == []
    assert (await there.log(made, f"?cursor={10**18 - 1}&limit=100"))["next"] is None


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("state=lost", "invalid_parameter", "state"),
        ("event_id=1", "invalid_parameter", "event_id"),
        (f"event_id=evt_{'0' * 32}_{'9' * 30}", "invalid_parameter", "event_id"),
        (f"event_id=evt_{'0' * 32}_1%0A", "invalid_parameter", "event_id"),
        ("cursor=0", "invalid_parameter", "cursor"),
        (f"cursor={10**18}", "invalid_parameter", "cursor"),
        ("cursor=x", "invalid_parameter", "cursor"),
        ("limit=0", "invalid_parameter", "limit"),
        ("sort=id", "unknown_parameter", "sort"),
    ],
)
async def test_a_bad_query_of_the_log_is_told_by_parameter(
    there: WebhookDoor, query: str, code: str, field: str
) -> None:
    made = await there.made()
    status, problem = await there.asks("GET", path(made, f"/deliveries?{query}"))
    assert (status, codes(problem)) == (400, [(code, field)])
    assert problem["errors"][0]["hint"]


async def test_what_was_delivered_or_failed_is_sent_again_on_demand(there: WebhookDoor) -> None:
    made = await there.made()
    await there.pinged(made, 3)
    first, second, third = reversed((await there.log(made))["items"])
    await there.house.database.execute(
        "UPDATE certpipe.deliveries "
        "SET state = CASE position WHEN $1 THEN 'delivered' ELSE 'failed' END, due_at = NULL",
        first["id"],
    )
    status, again = await there.asks("POST", path(made, f"/deliveries/{first['id']}/replay"))
    assert (status, again["id"], again["state"]) == (202, first["id"], "pending")
    answer = await there.asks("POST", path(made, "/replay"), json={"failed": True, "after": second["id"]})
    assert answer == (202, {"replayed": 1, "next": None})
    (left,) = (await there.log(made, "?state=failed"))["items"]
    assert left["id"] == second["id"]
    assert await there.asks("POST", path(made, "/replay"), json={"failed": True}) == (
        202,
        {"replayed": 1, "next": None},
    )
    assert len((await there.log(made, "?state=pending"))["items"]) == 3
    assert third["id"] > second["id"]


@pytest.mark.parametrize("number", ["0", "-1", "x", "1.0", "1" * 19, "%D9%A1", "1%0A"])
async def test_a_delivery_that_is_no_number_does_not_exist(there: WebhookDoor, number: str) -> None:
    made = await there.made()
    status, problem = await there.asks("POST", path(made, f"/deliveries/{number}/replay"))
    assert (status, codes(problem)) == (404, [("not_found", None)])


async def test_a_delivery_that_there_is_not_is_404(there: WebhookDoor) -> None:
    made = await there.made()
    status, problem = await there.asks("POST", path(made, f"/deliveries/{10**18 - 1}/replay"))
    assert (status, codes(problem)) == (404, [("not_found", None)])


@pytest.mark.parametrize(
    ("body", "status", "wanted"),
    [
        ({}, 422, ("invalid_replay", None)),
        ({"failed": False}, 422, ("invalid_replay", None)),
        ({"failed": True, "since": "2026-01-01T00:00:00Z"}, 422, ("invalid_replay", None)),
        ({"until": "2026-01-01T00:00:00Z"}, 422, ("invalid_replay", None)),
        ({"since": "2126-01-01T00:00:00Z"}, 422, ("invalid_field", "since")),
        ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, 422, ("invalid_field", "since")),
        ({"since": "2026-01-02T00:00:00"}, 400, ("invalid_field", "since")),
        ({"since": 0}, 400, ("invalid_field", "since")),
        ({"failed": True, "after": 10**18}, 400, ("invalid_field", "after")),
    ],
)
async def test_a_replay_of_nothing_in_particular_is_told(
    there: WebhookDoor, body: dict[str, Any], status: int, wanted: tuple[str, str | None]
) -> None:
    made = await there.made()
    found, problem = await there.asks("POST", path(made, "/replay"), json=body)
    assert (found, codes(problem)) == (status, [wanted])
    assert problem["errors"][0]["hint"]


async def test_a_time_is_sent_again_whatever_became_of_it(there: WebhookDoor) -> None:
    made = await there.made()
    await there.pinged(made)
    there.clock.advance(3_600)
    since = (there.clock.now() - timedelta(hours=2)).isoformat()
    status, answer = await there.asks("POST", path(made, "/replay"), json={"since": since})
    assert (status, answer) == (202, {"replayed": 1, "next": None})
    body = {"since": "0001-01-01T00:00:00+14:00", "until": since}
    assert await there.asks("POST", path(made, "/replay"), json=body) == (202, {"replayed": 0, "next": None})


async def test_headers_do_not_go_to_another_address_unless_they_are_sent_again(there: WebhookDoor) -> None:
    made = await there.made(headers={"Authorization": "Bearer of-the-first"})
    elsewhere = {"url": OTHER_URL}
    status, problem = await there.asks("PATCH", path(made), json=elsewhere)
    assert (status, codes(problem)) == (422, [("headers_needed", "headers")])
    status, after = await there.asks("PATCH", path(made), json={**elsewhere, "headers": {}})
    assert (status, after["url"], after["headers"]) == (200, elsewhere["url"], [])
