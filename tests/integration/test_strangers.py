"""A stranger at every route, own and of dialects: what is another organization's is as unknown as a random id."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio

from certpipe.core.bundle import Bundle
from certpipe.dialects import DIALECTS
from certpipe.ingress.routes import ROUTES
from tests.vendors import Vendors, vendors

pytestmark = pytest.mark.asyncio(loop_scope="module")
OWN = [(route.method, route.path) for route in ROUTES if not route.public]
SPOKEN = [(route.method, route.path) for dialect in DIALECTS.values() for route in dialect.routes]
# Whose id stands in the path, by the beginning of the path.
OBJECTS = {
    "/v1/uploads/": "upload",
    "/v1/certificates/": "certificate",
    "/v1/organizations/": "organization",
    "/v1/parties/": "branch",
    "/v1/webhooks/": "webhook",
    "/v1/branches/": "branch",
    "/branches/": "branch",
    "/apps/sw-sapien/": "entry",
    "/organizations/": "party",
}
LISTS = {"/v1/uploads", "/v1/certificates", "/v1/organizations", "/v1/parties", "/v1/webhooks"}
OF_ORGANIZATIONS = {"/v1/parties", "/v1/webhooks"}
RECEIVER = "http://127.0.0.1:9/hook"
WEBHOOKS = {"CERTPIPE_WEBHOOK_NETWORKS": "127.0.0.0/8"}
NO_READING = {"/v1/uploads", "/v1/checks"}
# They do not end: what is told on them to whom, their own tests say.
OPERATORS = {path for _, path in OWN if path.startswith(("/v1/dead", "/v1/services"))}
STREAMS = {"/v1/events", "/v1/events/ticket"}


@dataclass(frozen=True)
class World:
    """An organization with something of everything, and the client of a stranger who has an organization of its own."""

    running: Vendors
    ids: Mapping[str, str]
    stranger: aiohttp.ClientSession

    async def asks(self, method: str, path: str, **options: Any) -> tuple[int, str]:
        async with self.stranger.request(method, path, **options) as answer:
            return answer.status, await answer.text()


def _csd(bundle: Bundle) -> aiohttp.FormData:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("cerFile", bundle.certificate, filename="a.cer")
    form.add_field("keyFile", bundle.private_key, filename="a.key")
    form.add_field("password", bundle.password)
    return form


def _headers(organization: str, key: str) -> dict[str, str]:
    return {"x-organization-id": organization, "x-idempotency": key}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory, database: str) -> AsyncIterator[World]:
    async with vendors(tmp_path_factory.mktemp("strangers") / "data", database, **WEBHOOKS) as running:
        ids = {kind: await running.party(kind) for kind in ("branch", "entry")}
        ids |= {"party": await running.party("organization"), "organization": running.organization}
        ids["key"] = str(uuid4())
        address = f"/branches/{ids['branch']}/csd"
        async with running.installation.client() as owner:
            sent: dict[str, Any] = {"headers": _headers(running.organization, ids["key"])}
            async with owner.put(address, data=_csd(running.bundles["csd"]), **sent) as answer:
                assert answer.status == 200, await answer.text()
            async with owner.get("/v1/uploads", params={"party_id": ids["branch"]}) as answer:
                (upload,) = (await answer.json())["items"]
            webhook = {"organization_id": running.organization, "url": RECEIVER, "headers": {"X-Team": "tax"}}
            async with owner.post("/v1/webhooks", json=webhook) as answer:
                assert answer.status == 201, await answer.text()
                ids["webhook"] = (await answer.json())["id"]
        ids |= {"upload": upload["id"], "certificate": upload["certificate_id"]}
        headers = {"Authorization": f"Bearer {running.token('stranger')}"}
        async with aiohttp.ClientSession(running.url, headers=headers, trust_env=False) as stranger:
            yield World(running, ids, stranger)


def _options(world: World, method: str, path: str, organization: str) -> dict[str, Any]:
    """A request that is good but for whose it is."""
    if path.startswith("/v1/parties/") and method == "PUT":
        party = {"organization_id": organization, "kind": "branch", "rfc": "EKU9003173C9", "name": "Taken over"}
        return {"json": party}
    if path.startswith("/v1/organizations/") and method == "PUT":
        return {"json": {} if "producers" in path else {"rfc": "EKU9003173C9", "name": "Taken over"}}
    if path.startswith("/v1/webhooks/"):
        sent = {"PATCH /v1/webhooks/{id}": {"enabled": False}, "POST /v1/webhooks/{id}/replay": {"failed": True}}
        return {"json": sent.get(f"{method} {path}")}
    options: dict[str, Any] = {"headers": _headers(organization, str(uuid4()))}
    if method in {"POST", "PUT"}:
        options["data"] = _csd(world.running.bundles["csd"])
    return options


def _told(text: str, *ids: str) -> str:
    """An answer without what differs in every one."""
    try:
        document = json.loads(text)
    except ValueError:
        return text
    for name in ("instance", "requestId", "timestamp"):
        document.pop(name, None)
    told = json.dumps(document)
    for each in ids:
        told = told.replace(each, "<id>")
    return told


@pytest.mark.parametrize(("method", "path"), [each for each in OWN + SPOKEN if "{id}" in each[1]])
async def test_anothers_is_as_unknown_as_a_random_id(world: World, method: str, path: str) -> None:
    kind = next(OBJECTS[start] for start in OBJECTS if path.startswith(start))
    random, theirs = str(uuid4()), world.ids[kind]
    answers = []
    for each in (random, theirs):
        address = path.format(id=each, user="erp", delivery="1")
        status, text = await world.asks(method, address, **_options(world, method, path, world.running.elsewhere))
        answers.append((status, _told(text, each)))
    if (method, path) == ("PUT", "/v1/parties/{id}"):  # a random id is a new party of the stranger's own
        assert (answers[0][0], answers[1][0]) == (201, 404)
    else:
        assert answers[0] == answers[1]
        # What only operators may do is refused to whoever is none, before anything is looked up.
        assert answers[0][0] == (403 if path.startswith("/v1/organizations/") and method == "PUT" else 404)


@pytest.mark.parametrize(("method", "path"), SPOKEN)
async def test_naming_the_others_organization_helps_nobody(world: World, method: str, path: str) -> None:
    kind = next(OBJECTS[start] for start in OBJECTS if path.startswith(start))
    options = _options(world, method, path, world.running.organization)
    status, text = await world.asks(method, path.format(id=world.ids[kind]), **options)
    assert status in {403, 404}
    assert "EKU9003173C9" not in text


async def test_no_party_is_put_into_anothers_organization(world: World) -> None:
    options = _options(world, "PUT", "/v1/parties/{id}", world.running.organization)
    assert (await world.asks("PUT", f"/v1/parties/{uuid4()}", **options))[0] == 404
    assert (await world.asks("PUT", f"/v1/parties/{world.ids['branch']}", **options))[0] == 404


@pytest.mark.parametrize("path", sorted(LISTS))
async def test_no_list_holds_anything_of_anothers(world: World, path: str) -> None:
    assert ("GET", path) in OWN
    status, text = await world.asks("GET", path)
    assert status == 200
    assert not [name for name, each in world.ids.items() if each in text]
    name = "organization_id" if path in OF_ORGANIZATIONS else "party_id"
    if path != "/v1/organizations":
        of = world.ids["organization" if path in OF_ORGANIZATIONS else "branch"]
        assert (await world.asks("GET", path, params={name: of}))[0] == 404
    answers = await world.asks("GET", path, params={"cursor": "ffffffff-ffff-ffff-ffff-ffffffffffff"})
    assert not [name for name, each in world.ids.items() if each in answers[1]]


@pytest.mark.parametrize("path", sorted(NO_READING))
async def test_nothing_is_sent_for_anothers_party(world: World, path: str) -> None:
    assert ("POST", path) in OWN
    bundle = world.running.bundles["csd"]
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_field("certificate", bundle.certificate, filename="a.cer")
    form.add_field("private_key", bundle.private_key, filename="a.key")
    for name, text in {"password": bundle.password, "party_id": world.ids["branch"], "kind": "csd"}.items():
        form.add_field(name, text)
    assert (await world.asks("POST", path, data=form))[0] == 404


async def test_no_endpoint_is_made_in_anothers_organization(world: World) -> None:
    assert ("POST", "/v1/webhooks") in OWN
    answers = []
    for organization in (str(uuid4()), world.running.organization):
        body = {"organization_id": organization, "url": RECEIVER}
        status, text = await world.asks("POST", "/v1/webhooks", json=body)
        answers.append((status, _told(text, organization)))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404


async def test_no_stream_tells_of_anothers(world: World) -> None:
    options: dict[str, Any] = {"params": {"seconds": "1"}, "headers": {"Last-Event-ID": "0"}}
    status, text = await world.asks("GET", "/v1/events", **options)
    assert (status, text) == (200, "retry: 2000\nid: 0\n\n")
    answers = []
    for organization in (str(uuid4()), world.ids["organization"]):
        status, text = await world.asks("GET", "/v1/events", params={"seconds": "1", "organization_id": organization})
        answers.append((status, _told(text, organization)))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404
    async with world.running.installation.client() as owner, owner.get("/v1/events", **options) as answer:
        assert world.ids["upload"] in await answer.text()  # there was something to tell


async def test_every_route_is_walked() -> None:
    paths = {path for _, path in OWN + SPOKEN if "{id}" not in path}
    assert paths == LISTS | NO_READING | STREAMS | OPERATORS


@pytest.mark.parametrize(("method", "path"), [each for each in OWN if each[1] in OPERATORS])
async def test_what_is_for_operators_is_refused_before_anything_is_looked_up(
    world: World, method: str, path: str
) -> None:
    for number in ("1", "999999"):
        status, text = await world.asks(
            method, path.format(letter=number, service=f"sw-{number}"), **({"json": {}} if method == "POST" else {})
        )
        assert (status, json.loads(text)["code"]) == (403, "forbidden")


async def test_a_key_of_anothers_is_a_new_key(world: World) -> None:
    """The stranger's own branch, the same idempotency key: processed, and not the other's result."""
    branch = str(uuid4())
    body = {"organization_id": world.running.elsewhere, "kind": "branch", "rfc": "EKU9003173C9", "name": "Own"}
    assert (await world.asks("PUT", f"/v1/parties/{branch}", json=body))[0] == 201
    sent = {"data": _csd(world.running.bundles["csd"]), "headers": _headers(world.running.elsewhere, world.ids["key"])}
    status, text = await world.asks("PUT", f"/branches/{branch}/csd", **sent)
    assert status == 200, text
    async with world.stranger.get("/v1/certificates", params={"party_id": branch}) as answer:
        (certificate,) = (await answer.json())["items"]
    assert certificate["id"] != world.ids["certificate"]


async def test_nothing_of_the_others_was_changed(world: World) -> None:
    async with world.running.installation.client() as owner:
        async with owner.get(f"/v1/parties/{world.ids['branch']}") as answer:
            shown = await answer.json()
        assert (shown["organization_id"], shown["name"]) == (world.running.organization, "A branch")
        async with owner.get("/v1/uploads", params={"party_id": world.ids["branch"]}) as answer:
            assert len((await answer.json())["items"]) == 1
        async with owner.get(f"/v1/certificates/{world.ids['certificate']}") as answer:
            assert (await answer.json())["active"]
        async with owner.get("/v1/webhooks") as answer:
            (webhook,) = (await answer.json())["items"]
        assert (webhook["id"], webhook["url"], webhook["enabled"]) == (world.ids["webhook"], RECEIVER, True)
        assert webhook["previous_secret_until"] is None
        async with owner.get(f"/v1/webhooks/{webhook['id']}/deliveries?state=pending") as answer:
            assert "endpoint.ping" not in await answer.text()
