"""What the door does for every dialect, over a real socket, told by one that says the outcomes themselves."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import UUID

import pytest

from certpipe.core.ids import uuid7
from certpipe.core.ports.directory import Organization, Party, PartyKind, Role
from certpipe.core.ports.doors import NewUpload
from certpipe.core.problems import Problem
from schemas.status import Actor, State
from tests.integration.door import Door, open_door
from tests.integration.speaking import Plain, spoken

BODY = {"cer": "Y2VyLWJ5dGVz", "llave": "a2V5LWJ5dGVz", "clave": "12345678a"}
WRONG = Problem("wrong_password", "La contraseña no abre la llave", "Does not open", field="password").view()
AWAY = Problem("provider_unavailable", "El PAC no responde", "No answer", actor=Actor.PROVIDER).view()


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with open_door(dialects=[spoken()]) as opened:
        add_branch(opened)
        yield opened


def add_branch(door: Door) -> None:
    door.party = uuid7()
    door.directory.known_parties[door.party] = Party(
        door.party, door.organization, PartyKind.BRANCH, "EKU9003173C9", "Norte"
    )
    door.directory.members["adela"] = {door.organization: Role.ADMIN}


def goes(door: Door, *states: State) -> None:
    """Let uploads take these steps by themselves."""

    def step(upload: NewUpload) -> None:
        for state in states:
            door.store.move(upload.id, state)
        door.bell.ring()

    def accept(upload: NewUpload) -> None:
        asyncio.get_running_loop().call_soon(step, upload)

    door.store.on_accept = accept


async def call(
    door: Door,
    method: str = "PUT",
    party: UUID | str | None = None,
    *,
    subject: str | None = "olivia",
    headers: Mapping[str, str] = {},
    **options: Any,
) -> tuple[int, dict[str, Any], Mapping[str, str]]:
    path = f"/plain/{party or door.party}/pair"
    if method == "PUT" and not options:
        options = {"json": BODY}
    async with door.call(method, path, subject=subject, headers=headers, **options) as answer:
        return answer.status, json.loads(await answer.read()), answer.headers


async def test_an_answer_waits_until_it_is_stored(door: Door) -> None:
    goes(door, State.VALIDATED, State.ENCRYPTED, State.STORED)
    status, said, _ = await call(door)
    (upload,) = door.store.rows.values()
    assert (status, said["outcome"], said["certificate"]["upload_id"]) == (200, "Arrived", str(upload.id))
    assert (upload.door, upload.party_id, upload.awaited) == ("plain", door.party, False)


async def test_what_comes_after_the_awaited_state_changes_nothing(door: Door) -> None:
    goes(door, State.VALIDATED, State.ENCRYPTED, State.STORED, State.REJECTED)
    assert (await call(door))[1]["outcome"] == "Arrived"


async def test_a_dialect_may_wait_until_it_is_forwarded() -> None:
    async with open_door(dialects=[spoken(until=State.FORWARDED)]) as door:
        add_branch(door)
        goes(door, State.VALIDATED, State.ENCRYPTED, State.STORED)
        waiting = asyncio.create_task(call(door))
        async with asyncio.timeout(20):
            while not door.store.kept or not len(door.waiting):
                await asyncio.wait({asyncio.create_task(call(door, "GET", uuid7()))})
        assert not waiting.done()
        door.store.move(next(iter(door.store.rows)), State.FORWARDED)
        door.bell.ring()
        assert (await waiting)[1]["outcome"] == "Arrived"


async def test_the_end_of_a_refused_upload_is_told_in_the_names_of_the_wire(door: Door) -> None:
    door.store.on_accept = lambda upload: door.store.problems.update({upload.id: (WRONG,)})
    accept = door.store.on_accept

    def reject(upload: NewUpload) -> None:
        accept(upload)
        asyncio.get_running_loop().call_soon(door.store.move, upload.id, State.REJECTED)

    door.store.on_accept = reject
    status, said, _ = await call(door)
    assert (status, said["problems"]) == (422, [["wrong_password", "clave", 400]])


@pytest.mark.parametrize(
    ("state", "problems", "told"),
    [
        (State.FAILED, (AWAY,), ["provider_unavailable", None, 500]),
        (State.REJECTED, (AWAY,), ["provider_unavailable", None, 422]),
        (State.REJECTED, (), ["internal", None, 500]),
        (State.SUPERSEDED, (), ["superseded", None, 409]),
    ],
)
async def test_every_end_has_a_problem_to_tell(door: Door, state: State, problems: Any, told: list[Any]) -> None:
    def step(upload: NewUpload) -> None:
        door.store.problems[upload.id] = problems
        door.store.move(upload.id, state)

    door.store.on_accept = step
    assert (await call(door))[1]["problems"] == [told]


async def test_past_the_time_it_is_still_going() -> None:
    async with open_door(dialects=[spoken(seconds=0.05)]) as door:
        add_branch(door)
        status, said, headers = await call(door)
        (upload,) = door.store.rows.values()
        assert (status, said["outcome"], said["upload_id"]) == (202, "StillGoing", str(upload.id))
        assert (headers["Location"], headers["Retry-After"]) == (f"/v1/uploads/{upload.id}", "1")
        async with door.call("GET", headers["Location"]) as shown:
            assert shown.status == 200


async def test_a_longer_wait_than_the_dialects_is_cut_and_told_so() -> None:
    async with open_door(dialects=[spoken(seconds=1)]) as door:
        add_branch(door)
        status, _, headers = await call(door, headers={"Prefer": "wait=30"})
        assert (status, headers["Preference-Applied"]) == (202, "wait=1")


@pytest.mark.parametrize("prefer", ["respond-async", "wait=0", "respond-async, wait=0"])
async def test_who_prefers_not_to_wait_does_not(door: Door, prefer: str) -> None:
    status, said, headers = await call(door, headers={"Prefer": prefer})
    assert (status, said["outcome"], headers["Preference-Applied"]) == (202, "StillGoing", prefer)


async def test_two_thousand_wait_by_one_look_and_no_task_each(door: Door) -> None:
    before = len(asyncio.all_tasks())
    upload_ids = [uuid7() for _ in range(2_000)]
    door.store.states = dict.fromkeys(upload_ids, (State.RECEIVED, 0))
    waits = [
        asyncio.create_task(
            door.waiting.wait(each, after=None, until=frozenset({State.STORED}), seconds=60, gone=lambda: False)
        )
        for each in upload_ids
    ]
    while len(door.waiting) < 2_000:
        await asyncio.wait({asyncio.create_task(call(door, "GET", uuid7()))})
    assert len(asyncio.all_tasks()) < before + 2_000 + 20
    looks = len(door.store.looks)
    for each in upload_ids:
        door.store.states[each] = (State.STORED, 3)
    door.bell.ring()
    await asyncio.gather(*waits)
    assert len(door.store.looks) - looks <= 3


async def test_a_client_that_hangs_up_changes_nothing(door: Door) -> None:
    leaving = asyncio.create_task(call(door, headers={"x-key": "k"}))
    async with asyncio.timeout(20):
        while not len(door.waiting):
            await asyncio.wait({asyncio.create_task(call(door, "GET", uuid7()))})
    leaving.cancel()
    await asyncio.wait({leaving})
    (upload_id,) = door.store.rows
    for state in (State.VALIDATED, State.ENCRYPTED, State.STORED):
        door.store.move(upload_id, state)
    assert (await call(door, headers={"x-key": "k"}))[1]["certificate"]["upload_id"] == str(upload_id)
    assert list(door.store.rows) == [upload_id]


async def test_fifty_at_once_with_one_key_are_one_upload_and_one_answer(door: Door) -> None:
    goes(door, State.VALIDATED, State.ENCRYPTED, State.STORED)
    answers = await asyncio.gather(*(call(door, headers={"x-key": "k"}) for _ in range(50)))
    assert len(door.store.rows) == 1
    assert len({(status, json.dumps(said)) for status, said, _ in answers}) == 1
    assert answers[0][0] == 200


async def test_the_same_key_gives_the_first_result_even_when_the_certificate_was_replaced(door: Door) -> None:
    goes(door, State.VALIDATED, State.ENCRYPTED, State.STORED)
    _, first, _ = await call(door, headers={"x-key": "k"})
    _, second, _ = await call(door, headers={"x-key": "l"})
    assert second["certificate"]["id"] != first["certificate"]["id"]
    assert (await call(door, headers={"x-key": "k"}))[1] == first
    removed = await call(door, "DELETE")
    assert removed[1]["certificate"]["id"] == second["certificate"]["id"]
    assert (await call(door, headers={"x-key": "l"}))[1] == second


async def test_the_same_key_with_another_body_is_told(door: Door) -> None:
    goes(door, State.VALIDATED, State.ENCRYPTED, State.STORED)
    await call(door, headers={"x-key": "k"})
    _, said, _ = await call(door, headers={"x-key": "k"}, json={**BODY, "clave": "another"})
    assert (said["denial"], said["codes"]) == ("KEY_REUSED", ["idempotency_conflict"])


async def test_a_key_in_flight_is_told(door: Door) -> None:
    door.store.in_flight = True
    _, said, headers = await call(door, headers={"x-key": "k"})
    assert (said["denial"], headers["Retry-After"]) == ("IN_FLIGHT", "1")


async def test_a_key_counts_in_its_own_door_alone(door: Door) -> None:
    await call(door, headers={"x-key": "k", "Prefer": "respond-async"})
    native = {"certificate": BODY["cer"], "private_key": BODY["llave"], "password": BODY["clave"]}
    sent = {**native, "party_id": str(door.party), "kind": "csd"}
    async with door.call("POST", "/v1/uploads", json=sent, headers={"Idempotency-Key": "k"}) as answer:
        assert (answer.status, "Idempotent-Replayed" in answer.headers) == (202, False)
    assert len(door.store.rows) == 2


@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
async def test_another_organizations_party_is_as_unknown_as_a_random_id(door: Door, method: str) -> None:
    other, theirs, foreign_kind = uuid7(), uuid7(), uuid7()
    door.directory.known[other] = Organization(other, "XAXX010101000", "Otra")
    door.directory.known_parties[theirs] = Party(theirs, other, PartyKind.BRANCH, "XAXX010101000", "Sur")
    door.directory.known_parties[foreign_kind] = Party(
        foreign_kind, door.organization, PartyKind.ORGANIZATION, "EKU9003173C9", "Toda"
    )
    answers = []
    for party in (uuid7(), theirs, foreign_kind, "no-uuid"):
        status, said, _ = await call(door, method, party)
        answers.append((status, json.dumps(said).replace(str(party), "X")))
    assert len(set(answers)) == 1
    assert '"NOT_FOUND"' in answers[0][1]
    assert not door.store.rows


async def test_the_organization_that_a_header_names_must_be_the_senders_and_the_partys(door: Door) -> None:
    second = uuid7()
    door.directory.members["olivia"][second] = Role.OWNER
    for named, denial in ((uuid7(), "FORBIDDEN"), (second, "NOT_FOUND")):
        assert (await call(door, "GET", headers={"x-org": str(named)}))[1]["denial"] == denial
    assert (await call(door, "GET", headers={"x-org": str(door.organization)}))[1]["denial"] == "NOTHING_STORED"
    _, said, _ = await call(door, "GET", headers={"x-org": "none"})
    assert said["problems"] == [["no_uuid", "x-org", 400]]


async def test_a_header_that_comes_twice_is_one_list(door: Door) -> None:
    organization = str(door.organization)
    headers = {"Authorization": f"Bearer {door.token()}"}
    sent = [*headers.items(), ("x-org", organization), ("x-org", organization)]
    async with door.session.get(f"{door.address}/plain/{door.party}/pair", headers=sent) as answer:
        assert (await answer.json())["problems"] == [["no_uuid", "x-org", 400]]


@pytest.mark.parametrize(
    ("subject", "method", "allowed"),
    [
        ("olivia", "PUT", True),
        ("adela", "PUT", True),
        ("mario", "PUT", False),
        ("mario", "DELETE", False),
        ("mario", "GET", True),
        ("adela", "DELETE", True),
    ],
)
async def test_roles_upload_and_remove_and_every_member_sees(
    door: Door, subject: str, method: str, *, allowed: bool
) -> None:
    _, said, _ = await call(door, method, subject=subject, headers={"Prefer": "respond-async"})
    assert (said.get("denial") != "FORBIDDEN") is allowed
    assert bool(door.store.rows) is (allowed and method == "PUT")


async def test_what_is_stored_is_shown_and_removed(door: Door) -> None:
    assert (await call(door, "DELETE"))[1]["denial"] == "NOTHING_STORED"
    goes(door, State.VALIDATED, State.ENCRYPTED, State.STORED)
    _, stored, _ = await call(door)
    assert (await call(door, "GET"))[1]["certificate"] == stored["certificate"]
    assert (await call(door, "DELETE"))[1]["certificate"]["id"] == stored["certificate"]["id"]
    assert (await call(door, "GET"))[1]["denial"] == "NOTHING_STORED"


async def test_an_entry_is_asked_whether_it_waits(door: Door) -> None:
    entry = uuid7()
    door.directory.known_parties[entry] = Party(entry, door.organization, PartyKind.ENTRY, "EKU9003173C9", "E")
    assert (await call(door, party=entry, headers={"Prefer": "respond-async"}))[0] == 202
    assert (await call(door, party=entry))[1]["denial"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("options", "problems"),
    [
        ({"json": {"cer": "*"}}, {("bad_base64", "cer"), ("missing_field", "llave"), ("missing_field", "clave")}),
        ({"json": {**BODY, "kind": "csd"}}, {("unknown_field", "kind")}),
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, {("malformed_json", None)}),
        ({"data": b"x", "headers": {"Content-Type": "text/plain"}}, {("unsupported_media_type", None)}),
    ],
)
async def test_faults_of_the_body_are_told_in_its_own_names(
    door: Door, options: dict[str, Any], problems: set[tuple[str, str | None]]
) -> None:
    _, said, _ = await call(door, **options)
    assert said["outcome"] == "Faulty"
    assert {(code, field) for code, field, _ in said["problems"]} == problems


async def test_a_database_that_is_away_is_busy_and_a_defect_is_internal(door: Door) -> None:
    door.store.away = True
    _, said, headers = await call(door)
    assert (said["denial"], headers["Retry-After"]) == ("BUSY", "2")
    door.store.away = False

    def break_down(_: NewUpload) -> None:
        raise ValueError("12345678a")

    door.store.on_accept = break_down
    _, said, _ = await call(door)
    assert (said["denial"], said["codes"]) == ("INTERNAL", ["internal"])


async def test_an_organization_with_too_much_on_its_way_is_busy(door: Door) -> None:
    door.store.waiting_of[door.organization] = 1_000
    _, said, headers = await call(door)
    assert (said["denial"], said["codes"]) == ("BUSY", ["organization_overloaded"])
    assert int(headers["Retry-After"]) >= 1


async def test_every_answer_carries_the_headers_of_the_edge(door: Door) -> None:
    _, _, headers = await call(door, "GET")
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Request-Id"]
    assert headers["Server"] == "certpipe"


@pytest.mark.parametrize(("by_organization", "expected"), [(True, "AAA010101AAA"), (False, "EKU9003173C9")])
async def test_a_dialect_says_whose_rfc_the_certificate_must_name(by_organization: bool, expected: str) -> None:  # noqa: FBT001 - a parameter of the test
    async with open_door(dialects=[spoken(Plain(organization_rfc=by_organization), seconds=0)]) as door:
        add_branch(door)
        door.directory.known[door.organization] = Organization(door.organization, "AAA010101AAA", "Una")
        status, _, _ = await call(door)
        assert status == 202
        assert [row.rfc for row in door.store.rows.values()] == [expected]
