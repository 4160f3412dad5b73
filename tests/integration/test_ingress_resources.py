"""Organizations, parties, producers, certificates, checks and what is public, over a real socket."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from certpipe.core.ids import uuid7
from certpipe.core.ports.directory import Party, PartyKind, Producer, Role
from certpipe.core.ports.doors import NewUpload
from schemas.health import ProbeView
from schemas.status import CertificateFacts, CheckReport, StoredCertificate
from tests.integration.door import Door, body, form, open_door

EKU = "EKU9003173C9"


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    async with open_door() as opened:
        yield opened


async def call(door: Door, method: str, path: str, **options: Any) -> tuple[int, Any]:
    async with door.call(method, path, **options) as answer:
        return answer.status, await answer.json(content_type=None)


def certificate(organization: UUID, party: UUID) -> StoredCertificate:
    return StoredCertificate(
        id=uuid7(),
        organization_id=organization,
        party_id=party,
        upload_id=uuid7(),
        version=1,
        active=True,
        stored_at=datetime(2026, 6, 1, tzinfo=UTC),
        facts=CertificateFacts(rfc=EKU),
    )


async def test_an_operator_creates_an_organization_and_owns_it(door: Door) -> None:
    path, sent = f"/v1/organizations/{uuid7()}", {"rfc": EKU, "name": "Escuela Kemper Ñandú"}
    status, shown = await call(door, "PUT", path, subject="root", json=sent)
    assert (status, shown["role"], shown["name"]) == (201, "owner", sent["name"])
    assert await call(door, "PUT", path, subject="root", json={**sent, "name": "Otra"}) == (
        200,
        {**shown, "name": "Otra"},
    )
    assert await call(door, "GET", path, subject="root") == (200, {**shown, "name": "Otra"})
    status, listed = await call(door, "GET", "/v1/organizations", subject="root")
    assert {**shown, "name": "Otra"} in listed["items"]


async def test_nobody_else_creates_organizations_or_producers(door: Door) -> None:
    for path in (f"/v1/organizations/{uuid7()}", f"/v1/organizations/{door.organization}/producers/erp"):
        status, problem = await call(door, "PUT", path, subject="olivia", json={"rfc": EKU, "name": "x"})
        assert (status, problem["code"]) == (403, "forbidden")
    assert not door.directory.producers


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"rfc": "EKU"}, "rfc"),
        ({"rfc": "eku9003173c9"}, "rfc"),
        ({"rfc": "EKU9013173C9"}, "rfc"),
        ({"rfc": None}, "rfc"),
        ({"rfc": 7}, "rfc"),
        ({"name": ""}, "name"),
        ({"name": "   "}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"name": "x" * 301}, "name"),
        ({"extra": 1}, "extra"),
    ],
)
@pytest.mark.parametrize("resource", ["organizations", "parties"])
async def test_a_resource_with_a_bad_member_is_refused_by_field(
    door: Door, resource: str, change: dict[str, Any], field: str
) -> None:
    sent = {"rfc": EKU, "name": "Kemper", **change}
    if resource == "parties":
        sent = {"organization_id": str(door.organization), "kind": "entry", **sent}
    status, problem = await call(door, "PUT", f"/v1/{resource}/{uuid7()}", subject="root", json=sent)
    assert (status, [each["field"] for each in problem["errors"]]) == (400, [field])


async def test_everything_that_is_wrong_with_a_party_is_told_at_once(door: Door) -> None:
    status, problem = await call(door, "PUT", f"/v1/parties/{uuid7()}", json={"kind": "silo", "x": 1})
    assert status == 400
    assert {each["field"] for each in problem["errors"]} == {"organization_id", "kind", "rfc", "name", "x"}


async def test_an_owner_puts_a_party_and_every_member_sees_it(door: Door) -> None:
    path = f"/v1/parties/{uuid7()}"
    sent = {"organization_id": str(door.organization), "kind": "branch", "rfc": "XAXX010101000", "name": "Sucursal"}
    status, shown = await call(door, "PUT", path, json=sent)
    assert (status, shown) == (201, {"id": path.rpartition("/")[2], **sent, "state": None})
    assert await call(door, "PUT", path, json=sent) == (200, shown)
    assert await call(door, "GET", path, subject="mario") == (200, shown)
    status, listed = await call(door, "GET", f"/v1/parties?organization_id={door.organization}", subject="mario")
    assert shown in listed["items"]


async def test_a_mere_member_may_not_put_a_party(door: Door) -> None:
    sent = {"organization_id": str(door.organization), "kind": "entry", "rfc": EKU, "name": "x"}
    status, problem = await call(door, "PUT", f"/v1/parties/{uuid7()}", subject="mario", json=sent)
    assert (status, problem["code"]) == (403, "forbidden")
    door.directory.members["mario"][door.organization] = Role.ADMIN
    assert (await call(door, "PUT", f"/v1/parties/{uuid7()}", subject="mario", json=sent))[0] == 201


async def test_an_operator_lets_a_broker_user_publish(door: Door) -> None:
    path = f"/v1/organizations/{door.organization}/producers/erp@norte"
    status, shown = await call(door, "PUT", path, subject="root", json={"may_send_clear": True})
    assert (status, shown["user"], shown["may_send_clear"]) == (200, "erp@norte", True)
    assert door.directory.producers == {"erp@norte": Producer("erp@norte", door.organization, may_send_clear=True)}
    for bad in ({"may_send_clear": "yes"}, {"may_send_clear": 1}, {"x": 1}):
        assert (await call(door, "PUT", path, subject="root", json=bad))[0] == 400
    assert (await call(door, "PUT", path.replace("erp@norte", "a%20b"), subject="root", json={}))[0] == 400
    gone = path.replace(str(door.organization), str(uuid7()))
    assert (await call(door, "PUT", gone, subject="root", json={}))[0] == 404


async def test_certificates_are_shown_and_listed_without_secrets(door: Door) -> None:
    one = certificate(door.organization, door.party)
    door.store.kept = {one.id: one}
    status, shown = await call(door, "GET", f"/v1/certificates/{one.id}")
    assert (status, shown["facts"]["rfc"]) == (200, EKU)
    assert await call(door, "GET", f"/v1/certificates?party_id={door.party}") == (200, {"items": [shown], "next": None})
    assert not {"private_key", "password", "parts"} & shown.keys()


# Another tenant's ids: uploads, certificates, organizations and parties are as unknown as random ones.
async def test_a_stranger_finds_nothing_on_any_route(door: Door) -> None:
    _, upload = await call(door, "POST", "/v1/uploads", json=body(door))
    one = certificate(door.organization, door.party)
    door.store.kept = {one.id: one}
    party = {"organization_id": str(door.organization), "kind": "entry", "rfc": EKU, "name": "x"}
    tries: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "/v1/uploads/{}", {"id": upload["id"]}),
        ("GET", "/v1/uploads/{}?wait=30", {"id": upload["id"]}),
        ("GET", "/v1/uploads?party_id={}", {"id": door.party}),
        ("GET", "/v1/certificates/{}", {"id": one.id}),
        ("GET", "/v1/certificates?party_id={}", {"id": door.party}),
        ("GET", "/v1/organizations/{}", {"id": door.organization}),
        ("GET", "/v1/parties/{}", {"id": door.party}),
        ("GET", "/v1/parties?organization_id={}", {"id": door.organization}),
        ("PUT", "/v1/parties/{}", {"id": door.party, "json": party}),
        ("POST", "/v1/uploads", {"json": body(door)}),
        ("POST", "/v1/uploads", {"data": form(door)}),
        ("POST", "/v1/checks", {"json": body(door)}),
    ]
    for method, path, options in tries:
        known = options.pop("id", None)
        answers = [await call(door, method, path.format(known), subject="stranger", **options)]
        if known is not None:
            answers.append(await call(door, method, path.format(uuid7()), subject="stranger", **options))
        for status, problem in answers:
            assert (status, problem["code"]) == (404, "target_not_found"), (method, path)
            assert {**problem, "instance": ""} == {**answers[0][1], "instance": ""}
    for path in ("/v1/uploads", "/v1/certificates", "/v1/parties", "/v1/organizations"):
        status, page = await call(door, "GET", path, subject="stranger")
        assert (status, page["items"]) == (200, [])
    assert len(door.store.rows) == 1
    assert door.directory.known_parties[door.party].name == "Kemper"


async def test_a_party_cannot_be_taken_over_by_another_organization(door: Door) -> None:
    other = uuid7()
    door.directory.members["stranger"] = {other: Role.OWNER}
    sent = {"organization_id": str(other), "kind": "entry", "rfc": EKU, "name": "Mine"}
    status, problem = await call(door, "PUT", f"/v1/parties/{door.party}", subject="stranger", json=sent)
    assert (status, problem["code"]) == (404, "target_not_found")


async def test_an_idempotency_key_is_the_organizations_own(door: Door) -> None:
    other, party = uuid7(), uuid7()
    door.directory.members["stranger"] = {other: Role.OWNER}
    await call(
        door,
        "PUT",
        f"/v1/parties/{party}",
        subject="stranger",
        json={"organization_id": str(other), "kind": "entry", "rfc": EKU, "name": "x"},
    )
    headers = {"Idempotency-Key": "1"}
    _, first = await call(door, "POST", "/v1/uploads", json=body(door), headers=headers)
    status, second = await call(
        door, "POST", "/v1/uploads", subject="stranger", json=body(door, party_id=str(party)), headers=headers
    )
    assert (status, first["id"] != second["id"]) == (202, True)


@pytest.mark.parametrize("verdict", ["valid", "rejected"])
async def test_a_check_answers_200_with_either_verdict_and_is_kept_by_nobody(door: Door, verdict: str) -> None:
    report = CheckReport(verdict=verdict, problems=(), warnings=(), certificate=CertificateFacts(rfc=EKU))

    def end(upload: NewUpload) -> None:
        assert upload.check
        door.store.reports[upload.id] = report
        asyncio.get_running_loop().call_soon(door.bell.ring)

    door.store.on_accept = end
    status, shown = await call(door, "POST", "/v1/checks", json=body(door, party_id=None, kind=None))
    assert (status, shown["verdict"], shown["certificate"]["rfc"]) == (200, verdict, EKU)
    assert door.store.reports == {}


async def test_a_check_that_came_to_no_verdict_is_503(door: Door) -> None:
    report = CheckReport(verdict="failed", problems=(), warnings=(), certificate=CertificateFacts())
    door.store.on_accept = lambda upload: door.store.reports.update({upload.id: report})
    async with door.call("POST", "/v1/checks", data=form(door)) as answer:
        assert (answer.status, (await answer.json())["code"]) == (503, "no_worker_answered")
        assert answer.headers["Retry-After"]


async def test_a_check_may_name_the_rfc_that_it_expects(door: Door) -> None:
    report = CheckReport(verdict="valid", problems=(), warnings=(), certificate=CertificateFacts())
    door.store.on_accept = lambda upload: door.store.reports.update({upload.id: report})
    assert (await call(door, "POST", "/v1/checks", json=body(door, rfc="XAXX010101000")))[0] == 200
    (upload,) = door.store.rows.values()
    assert upload.rfc == "XAXX010101000"
    status, problem = await call(door, "POST", "/v1/checks", json=body(door, rfc="X"))
    assert (status, problem["errors"][0]["field"]) == (400, "rfc")


async def test_anybody_may_see_the_sealing_keys_and_the_description(door: Door) -> None:
    status, keys = await call(door, "GET", "/v1/sealing-keys", subject=None)
    assert (status, keys["current"], keys["keys"][0]["kty"]) == (200, "intake-1", "OKP")
    status, document = await call(door, "GET", "/openapi.json", subject=None)
    assert (status, document["openapi"]) == (200, "3.1.0")


async def test_ready_means_that_all_that_is_required_is_there(door: Door) -> None:
    assert await call(door, "GET", "/livez", subject=None) == (200, {"status": "ok", "checks": None})
    assert await call(door, "GET", "/readyz", subject=None) == (200, {"status": "ok", "checks": None})
    door.probes[0] = ProbeView(name="database", ok=False, required=True)
    status, health = await call(door, "GET", "/readyz?verbose", subject=None)
    assert (status, health["status"]) == (503, "not ready")
    assert health["checks"][1] == {"name": "broker", "ok": False, "required": False}


async def test_an_entry_shows_its_state_and_its_managers_void_it(door: Door) -> None:
    assert (await call(door, "GET", f"/v1/parties/{door.party}"))[1]["state"] == "waiting"
    assert (await call(door, "POST", f"/v1/parties/{door.party}/void", subject="mario"))[0] == 403
    status, shown = await call(door, "POST", f"/v1/parties/{door.party}/void")
    assert (status, shown["state"]) == (200, "void")
    assert [each["state"] for each in (await call(door, "GET", "/v1/parties"))[1]["items"]] == ["void"]


async def test_only_what_is_an_entry_and_ones_own_is_voided(door: Door) -> None:
    branch = uuid7()
    door.directory.known_parties[branch] = Party(branch, door.organization, PartyKind.BRANCH, "EKU9003173C9", "Norte")
    assert (await call(door, "POST", f"/v1/parties/{branch}/void"))[1]["code"] == "not_an_entry"
    for subject, party in (("stranger", door.party), ("olivia", uuid7())):
        status, shown = await call(door, "POST", f"/v1/parties/{party}/void", subject=subject)
        assert (status, shown["code"]) == (404, "target_not_found")
