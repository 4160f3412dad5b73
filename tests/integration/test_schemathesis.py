"""The description of the API holds against a whole certpipe: all checks of Schemathesis, in all its phases.

`CERTPIPE_TEST_SCHEMATHESIS=300` goes on for that many seconds, and from another seed each time.
"""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest

from certpipe.core.ids import uuid7
from tests.installation import Installation

SECONDS = os.environ.get("CERTPIPE_TEST_SCHEMATHESIS")
EACH = 8
RECEIVER = "http://127.0.0.1:9/{}"
BOUNDED = ("--max-examples", "4", "--seed", "1")
THOROUGH = ("--max-examples", "200", "--max-time", SECONDS or "1", "--seed", str(secrets.randbelow(2**32)))
# What no schema can say of a valid request: a key that was used before (422), an address that nothing is sent to (422)
# or that an endpoint has already (409), a time that ends before it begins (422), and in a vendor's dialect the verdict
# on the certificate (400, 422), which the native doors give later.
DIALECT = """
[[operations]]
include-tag = "{tag}"
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "403", "404", "409", "422"]
[operations.parameters]
"path.id" = {{ dictionary = "{kind}", probability = 0.8 }}
"header.x-organization-id" = {{ dictionary = "organizations", probability = 0.9 }}
"""
CONFIG = """
[dictionaries]
organizations.values = {organizations}
parties.values = {parties}
entry.values = {entry}
branch.values = {branch}
organization.values = {organization}
receivers.values = {receivers}
webhooks.values = {webhooks}

[[operations]]
include-name = "POST /v1/uploads"
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "409", "422"]
[operations.parameters]
"body.party_id" = {{ dictionary = "parties", probability = 0.8 }}

[[operations]]
include-path = ["/v1/checks", "/v1/certificates"]
[operations.parameters]
"body.party_id" = {{ dictionary = "parties", probability = 0.8 }}
"query.party_id" = {{ dictionary = "parties", probability = 0.8 }}

[[operations]]
include-name = ["PUT /v1/parties/{{id}}", "GET /v1/webhooks"]
[operations.parameters]
"body.organization_id" = {{ dictionary = "organizations", probability = 0.8 }}
"query.organization_id" = {{ dictionary = "organizations", probability = 0.8 }}

[[operations]]
include-name = "POST /v1/webhooks"
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "409", "422"]
[operations.parameters]
"body.organization_id" = {{ dictionary = "organizations", probability = 0.8 }}
"body.url" = {{ dictionary = "receivers", probability = 0.8 }}

[[operations]]
include-path-regex = "^/v1/webhooks/"
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "409", "422"]
[operations.parameters]
"path.id" = {{ dictionary = "webhooks", probability = 0.8 }}
"body.url" = {{ dictionary = "receivers", probability = 0.8 }}

# Streams, which would go on for an hour.
[[operations]]
include-path = ["/v1/events", "/v1/uploads/{{id}}/events"]
[operations.parameters]
"query.organization_id" = {{ dictionary = "organizations", probability = 0.8 }}
"query.seconds" = 1
"""


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    settings = {"CERTPIPE_DIALECT_WAIT": "2", "CERTPIPE_WEBHOOK_NETWORKS": "127.0.0.0/8"}
    started = await Installation(tmp_path / "data", **settings).start()
    yield started
    assert await started.stop() == 0, started.log


async def registered(installation: Installation) -> Mapping[str, str]:
    """The kind of each of many parties: what is behind the ids is reached, though requests change some of them."""
    kinds = {str(uuid7()): kind for kind in ("entry", "branch", "organization") for _ in range(EACH)}
    async with installation.client() as http:
        for party_id, kind in kinds.items():
            body = {"organization_id": str(installation.organization_id), "kind": kind, "rfc": "EKU9003173C9"}
            async with http.put(f"/v1/parties/{party_id}", json={**body, "name": "Escuela Kemper Urgate"}) as answer:
                assert answer.status == 201, await answer.text()
    return kinds


async def receiving(installation: Installation) -> list[str]:
    """The ids of endpoints, at addresses where nobody answers."""
    ids = []
    async with installation.client() as http:
        for number in range(EACH):
            body = {"organization_id": str(installation.organization_id), "url": RECEIVER.format(number)}
            async with http.post("/v1/webhooks", json=body) as answer:
                assert answer.status == 201, await answer.text()
                ids.append((await answer.json())["id"])
    return ids


def config(installation: Installation, kinds: Mapping[str, str], webhooks: Sequence[str]) -> str:
    def of(wanted: str) -> str:
        return json.dumps([party_id for party_id, kind in kinds.items() if kind == wanted])

    native = CONFIG.format(
        organizations=json.dumps([str(installation.organization_id)]),
        parties=json.dumps(list(kinds)),
        receivers=json.dumps([RECEIVER.format(number) for number in range(2 * EACH)]),
        webhooks=json.dumps(webhooks),
        **{kind: of(kind) for kind in kinds.values()},
    )
    dialects = {"invopop": "entry", "lummy": "branch", "timbrix": "organization"}
    return native + "".join(DIALECT.format(tag=tag, kind=kind) for tag, kind in dialects.items())


async def schemathesis(installation: Installation, folder: Path, *arguments: str) -> tuple[int, str]:
    """The exit code, and what it printed."""
    program = Path(sys.executable).with_name("schemathesis")
    target = f"{installation.dev['url']}/openapi.json"
    token = f"Authorization: Bearer {installation.dev['token']}"
    running = await asyncio.create_subprocess_exec(
        program,
        "--no-color",
        "run",
        target,
        *("--header", token, "--checks", "all", "--phases", "examples,coverage,fuzzing,stateful"),
        *("--continue-on-failure", "--suppress-health-check", "all", *arguments),
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await running.communicate()
    return await running.wait(), output.decode()


async def submitted_to(installation: Installation) -> set[str]:
    """The parties for which uploads came in."""
    found, cursor = set[str](), ""
    async with installation.client() as http:
        while cursor is not None:
            async with http.get(f"/v1/uploads?limit=100{cursor and f'&cursor={cursor}'}") as answer:
                page = await answer.json()
            found |= {upload["party_id"] for upload in page["items"]}
            cursor = page["next"]
    return found


@pytest.mark.slow
@pytest.mark.timeout(180 + int(SECONDS or 0))
async def test_no_check_of_schemathesis_fails_on_any_door(installation: Installation, tmp_path: Path) -> None:
    kinds, webhooks = await registered(installation), await receiving(installation)
    (tmp_path / "schemathesis.toml").write_text(config(installation, kinds, webhooks), encoding="utf-8")
    code, output = await schemathesis(installation, tmp_path, *(THOROUGH if SECONDS else BOUNDED))
    assert code == 0, output
    assert {kinds.get(party) for party in await submitted_to(installation)} >= set(kinds.values()), output
