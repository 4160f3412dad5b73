"""`/v1/uploads` over a real socket."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from certpipe.core.ids import uuid7
from certpipe.core.ports.doors import NewUpload
from schemas.status import Stage, State
from tests.integration.door import Door, body, form, open_door


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with open_door() as opened:
        yield opened


def sealed(upload: NewUpload) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(upload.box.ciphertext)
    return content


async def test_a_multipart_upload_is_sealed_committed_dispatched_and_answered_202(door: Door) -> None:
    async with door.call("POST", "/v1/uploads", data=form(door)) as answer:
        status = await answer.json()
    assert (answer.status, status["state"], status["ended"]) == (202, "received", False)
    assert answer.headers["Location"] == f"/v1/uploads/{status['id']}" == status["links"]["self"]
    assert answer.headers["Retry-After"] == "1"
    (upload,) = door.store.rows.values()
    assert base64.b64decode(sealed(upload)["certificate"]) == b"cer-bytes"
    assert base64.b64decode(sealed(upload)["private_key"]) == b"key-bytes"
    assert sealed(upload)["password"] == "12345678a"
    assert (upload.party_id, upload.rfc, upload.submitted_by, upload.door) == (
        door.party,
        "EKU9003173C9",
        "olivia",
        "http",
    )
    assert door.dispatcher.dispatched == [(Stage.VALIDATE, upload.id)]


async def test_a_json_upload_is_the_same(door: Door) -> None:
    async with door.call("POST", "/v1/uploads", json=body(door)) as answer:
        assert answer.status == 202
    (upload,) = door.store.rows.values()
    assert base64.b64decode(sealed(upload)["certificate"]) == b"cer-bytes"


async def test_base64_may_have_line_breaks(door: Door) -> None:
    async with door.call("POST", "/v1/uploads", json=body(door, certificate="Y2Vy\r\nLWJ5\n dGVz\n")) as answer:
        assert answer.status == 202
    (upload,) = door.store.rows.values()
    assert base64.b64decode(sealed(upload)["certificate"]) == b"cer-bytes"


@pytest.mark.parametrize(("sent", "password"), [("ñandú".encode(), "ñandú"), ("ñandú".encode("cp1252"), "ñandú")])
async def test_a_password_is_taken_in_utf8_and_else_in_windows_1252(door: Door, sent: bytes, password: str) -> None:
    async with door.call("POST", "/v1/uploads", data=form(door, password=sent)) as answer:
        assert answer.status == 202
    (upload,) = door.store.rows.values()
    assert sealed(upload)["password"] == password


async def test_who_prefers_to_wait_gets_the_end_with_200(door: Door) -> None:
    def forward(upload: NewUpload) -> None:
        asyncio.get_running_loop().call_soon(door.store.move, upload.id, State.FORWARDED)
        asyncio.get_running_loop().call_soon(door.bell.ring)

    door.store.on_accept = forward
    async with door.call("POST", "/v1/uploads", json=body(door), headers={"Prefer": "wait=30"}) as answer:
        status = await answer.json()
    assert (answer.status, status["state"], answer.headers["Preference-Applied"]) == (200, "forwarded", "wait=30")
    assert "Retry-After" not in answer.headers


async def test_who_waited_in_vain_gets_202(door: Door) -> None:
    headers = {"Prefer": "respond-async, wait=1"}
    async with door.call("POST", "/v1/uploads", json=body(door), headers=headers) as answer:
        assert (answer.status, answer.headers["Preference-Applied"]) == (202, "respond-async, wait=1")


async def test_the_same_key_and_body_are_the_same_upload(door: Door) -> None:
    headers = {"Idempotency-Key": "order-1"}
    async with door.call("POST", "/v1/uploads", json=body(door), headers=headers) as answer:
        first = await answer.json()
        assert "Idempotent-Replayed" not in answer.headers
    async with door.call("POST", "/v1/uploads", data=form(door), headers=headers) as answer:
        assert (answer.status, (await answer.json())["id"]) == (202, first["id"])
        assert answer.headers["Idempotent-Replayed"] == "true"
    assert len(door.store.rows) == len(door.dispatcher.dispatched) == 1


@pytest.mark.parametrize("change", [{"password": "other"}, {"certificate": "b3RoZXI="}, {"kind": "fiel"}])
async def test_the_same_key_with_another_body_is_422(door: Door, change: dict[str, str]) -> None:
    headers = {"Idempotency-Key": "order-1"}
    async with door.call("POST", "/v1/uploads", json=body(door), headers=headers) as answer:
        assert answer.status == 202
    async with door.call("POST", "/v1/uploads", json=body(door, **change), headers=headers) as answer:
        assert (answer.status, (await answer.json())["code"]) == (422, "idempotency_conflict")


async def test_a_key_in_flight_is_409(door: Door) -> None:
    door.store.in_flight = True
    async with door.call("POST", "/v1/uploads", json=body(door), headers={"Idempotency-Key": "a"}) as answer:
        assert (answer.status, answer.headers["Retry-After"]) == (409, "1")
        assert (await answer.json())["code"] == "idempotency_in_flight"


@pytest.mark.parametrize("key", ["", "k" * 256, "llave-ñ"])
async def test_a_bad_idempotency_key_is_400(door: Door, key: str) -> None:
    async with door.call("POST", "/v1/uploads", json=body(door), headers={"Idempotency-Key": key}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (400, "invalid_idempotency_key")
    assert not door.store.rows


async def test_a_full_backlog_is_503_with_retry_after(door: Door) -> None:
    door.store.waiting = 1_000
    async with door.call("POST", "/v1/uploads", json=body(door)) as answer:
        assert (answer.status, (await answer.json())["code"]) == (503, "overloaded")
        assert int(answer.headers["Retry-After"]) >= 1


async def test_an_organization_with_too_much_on_its_way_is_503_in_both_languages_and_others_are_taken(
    door: Door,
) -> None:
    door.store.waiting_of[door.organization] = 1_000
    async with door.call("POST", "/v1/uploads", json=body(door)) as answer:
        said = await answer.json()
        assert (answer.status, said["code"]) == (503, "organization_overloaded")
        assert int(answer.headers["Retry-After"]) >= 1
    assert "su organización" in said["errors"][0]["message_es"].lower()
    assert "your organization" in said["errors"][0]["message_en"]
    door.store.waiting_of[uuid7()] = door.store.waiting_of.pop(door.organization)
    async with door.call("POST", "/v1/uploads", json=body(door)) as answer:
        assert answer.status == 202


async def test_a_database_that_is_away_is_503_with_retry_after(door: Door) -> None:
    door.store.away = True
    for method, path in (("POST", "/v1/uploads"), ("GET", f"/v1/uploads/{uuid7()}"), ("GET", "/v1/certificates")):
        async with door.call(method, path, json=body(door) if method == "POST" else None) as answer:
            assert (answer.status, "Retry-After" in answer.headers) == (503, True)


async def submitted(door: Door) -> str:
    async with door.call("POST", "/v1/uploads", json=body(door)) as answer:
        upload_id: str = (await answer.json())["id"]
    return upload_id


async def test_a_client_that_has_the_sequence_gets_304_until_it_changes(door: Door) -> None:
    upload_id = await submitted(door)
    async with door.call("GET", f"/v1/uploads/{upload_id}") as answer:
        tag = answer.headers["ETag"]
        assert answer.status == 200
    async with door.call("GET", f"/v1/uploads/{upload_id}", headers={"If-None-Match": f'"x", W/{tag}'}) as answer:
        assert (answer.status, answer.headers["ETag"], await answer.read()) == (304, tag, b"")
    (row,) = door.store.rows
    door.store.move(row, State.VALIDATED)
    async with door.call("GET", f"/v1/uploads/{upload_id}", headers={"If-None-Match": tag}) as answer:
        assert (answer.status, (await answer.json())["state"]) == (200, "validated")


async def test_a_long_poll_ends_at_the_next_change_from_the_tag(door: Door) -> None:
    upload_id = await submitted(door)
    (row,) = door.store.rows
    async with asyncio.TaskGroup() as tasks:

        async def poll() -> tuple[int, str]:
            path = f"/v1/uploads/{upload_id}?wait=30"
            async with door.call("GET", path, headers={"If-None-Match": '"0"'}) as answer:
                return answer.status, (await answer.json())["state"]

        polling = tasks.create_task(poll())
        await _until_somebody_waits(door)
        door.store.move(row, State.VALIDATED)
        door.bell.ring()
    assert polling.result() == (200, "validated")


async def test_a_long_poll_without_a_tag_ends_at_the_end_only(door: Door) -> None:
    upload_id = await submitted(door)
    (row,) = door.store.rows
    async with asyncio.TaskGroup() as tasks:

        async def poll() -> str:
            async with door.call("GET", f"/v1/uploads/{upload_id}?wait=30") as answer:
                state: str = (await answer.json())["state"]
                return state

        polling = tasks.create_task(poll())
        await _until_somebody_waits(door)
        door.store.move(row, State.VALIDATED)
        door.bell.ring()
        await _until_looked_at_again(door)
        door.store.move(row, State.REJECTED)
        door.bell.ring()
    assert polling.result() == "rejected"


async def test_a_long_poll_in_vain_is_304_with_a_tag_and_200_without(door: Door) -> None:
    upload_id = await submitted(door)
    async with door.call("GET", f"/v1/uploads/{upload_id}?wait=1", headers={"If-None-Match": '"0"'}) as answer:
        assert answer.status == 304
    async with door.call("GET", f"/v1/uploads/{upload_id}?wait=1") as answer:
        assert answer.status == 200


async def test_a_client_that_hangs_up_no_longer_waits(door: Door) -> None:
    upload_id = await submitted(door)
    hanging = asyncio.create_task(_poll_until_cancelled(door, upload_id))
    await _until_somebody_waits(door)
    hanging.cancel()
    async with asyncio.timeout(30):
        while len(door.waiting):
            door.bell.ring()
            await _until_looked_at_again(door, at_all=False)


async def _poll_until_cancelled(door: Door, upload_id: str) -> None:
    async with door.call("GET", f"/v1/uploads/{upload_id}?wait=30") as answer:
        await answer.read()


async def _until_somebody_waits(door: Door) -> None:
    async with asyncio.timeout(30), door.session.get(door.address + "/livez"):
        pass
    async with asyncio.timeout(30):
        while not len(door.waiting):
            async with door.session.get(door.address + "/livez"):
                pass


async def _until_looked_at_again(door: Door, *, at_all: bool = True) -> None:
    before = len(door.store.looks)
    async with asyncio.timeout(30):
        async with door.session.get(door.address + "/livez"):
            pass
        while at_all and len(door.store.looks) == before:
            async with door.session.get(door.address + "/livez"):
                pass


async def test_uploads_are_listed_newest_first_in_pages(door: Door) -> None:
    ids = [await submitted(door) for _ in range(3)]
    async with door.call("GET", "/v1/uploads?limit=2") as answer:
        first = await answer.json()
    async with door.call("GET", f"/v1/uploads?limit=2&cursor={first['next']}") as answer:
        second = await answer.json()
    assert [each["id"] for each in first["items"] + second["items"]] == ids[::-1]
    assert second["next"] is None
    assert first["items"][0]["links"] == {"self": f"/v1/uploads/{ids[2]}"}


async def test_uploads_are_filtered_by_party_and_state(door: Door) -> None:
    upload_id = await submitted(door)
    async with door.call("GET", f"/v1/uploads?party_id={door.party}&state=received") as answer:
        assert [each["id"] for each in (await answer.json())["items"]] == [upload_id]
    async with door.call("GET", "/v1/uploads?state=forwarded") as answer:
        assert (await answer.json())["items"] == []


async def test_head_answers_without_a_body_and_options_names_the_methods(door: Door) -> None:
    upload_id = await submitted(door)
    async with door.call("HEAD", f"/v1/uploads/{upload_id}") as answer:
        assert (answer.status, await answer.read()) == (200, b"")
    async with door.call("OPTIONS", "/v1/uploads") as answer:
        assert (answer.status, set(answer.headers["Allow"].split(","))) == (204, {"GET", "HEAD", "POST"})
