"""A running certpipe as a vendor's clients find it: parties of every kind, and people of every role."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import asyncpg

from certpipe.core.bundle import Bundle
from certpipe.development.demo import SUBJECT
from certpipe.development.identity import Identity
from certpipe.simulators.authority import RFC, Authority
from tests.bundles import generated
from tests.installation import Installation
from tests.trusting import trusting

OTHERS = ("admin", "member")


@dataclass(frozen=True, slots=True)
class Vendors:
    """`bundles`: of the `authority`, which it trusts. `elsewhere`: an organization of the stranger's own."""

    installation: Installation
    database_url: str
    authority: Authority
    bundles: Mapping[str, Bundle]
    elsewhere: str

    @property
    def url(self) -> str:
        return str(self.installation.dev["url"])

    @property
    def organization(self) -> str:
        return str(self.installation.organization_id)

    def token(self, who: str) -> str:
        """Of the `owner`, an `admin`, a `member`, a `stranger`, or of the owner who is `late`: expired."""
        if who == "owner":
            return str(self.installation.dev["token"])
        return _token(self.installation, SUBJECT if who == "late" else who, hours=-1 if who == "late" else 1)

    async def party(self, kind: str, rfc: str = RFC) -> str:
        """The id of a new one; an entry waits for a certificate."""
        return await self.party_of(self.organization, kind, rfc)

    async def party_of(self, organization: str, kind: str, rfc: str) -> str:
        """The same, of another organization of the owner's."""
        party_id = str(uuid4())
        document = {"organization_id": organization, "kind": kind, "rfc": rfc, "name": f"A {kind}"}
        await self.put(f"/v1/parties/{party_id}", document)
        return party_id

    async def organization_of(self, rfc: str) -> str:
        """The owner's organization with this RFC: the demo's, or a new one."""
        if rfc == RFC:
            return self.organization
        organization = str(uuid4())
        await self.put(f"/v1/organizations/{organization}", {"rfc": rfc, "name": "Another of the owner's"})
        return organization

    async def put(self, path: str, document: Any) -> None:
        """What an integrator sets up beforehand."""
        async with self.installation.client() as http, http.put(path, json=document) as answer:
            assert answer.ok, await answer.text()

    async def faults(self, *rules: Mapping[str, Any]) -> None:
        """How the simulated PAC misbehaves from now on."""
        address = f"{self.installation.dev['simulator_url']}/_faults"
        async with aiohttp.ClientSession() as http, http.put(address, json=list(rules)) as answer:
            assert answer.ok, await answer.text()

    async def execute(self, statement: str, *arguments: object) -> str:
        """Change the database behind its back; how many rows that touched."""
        connection = await asyncpg.connect(self.database_url)
        try:
            done: str = await connection.execute(statement, *arguments)
        finally:
            await connection.close()
        return done.rpartition(" ")[2]


@asynccontextmanager
async def vendors(folder: Path, database_url: str, **environment: str) -> AsyncIterator[Vendors]:
    """Start one, and stop it."""
    authority = Authority.create(at=datetime.now(UTC))
    settings = {"CERTPIPE_DATABASE_URL": database_url, "CERTPIPE_LOG_LEVEL": "WARNING", **environment}
    installation = await trusting(folder, authority, **settings).start()
    try:
        running = Vendors(installation, database_url, authority, generated(authority), str(uuid4()))
        for role in OTHERS:
            statement = "INSERT INTO certpipe.members (organization_id, subject, role) VALUES ($1, $2, $2)"
            await running.execute(statement, installation.organization_id, role)
        await _settle_stranger(running)
        yield running
    finally:
        assert await installation.stop() == 0, installation.log


async def _settle_stranger(running: Vendors) -> None:
    headers = {"Authorization": f"Bearer {_token(running.installation, 'stranger', hours=1, operator=True)}"}
    document = {"rfc": RFC, "name": "Somebody else"}
    address = f"{running.url}/v1/organizations/{running.elsewhere}"
    async with aiohttp.ClientSession(headers=headers) as http, http.put(address, json=document) as answer:
        assert answer.status == 201, await answer.text()


def _token(installation: Installation, subject: str, *, hours: int, operator: bool = False) -> str:
    identity = Identity.open(installation.folder / "identity")
    return identity.token(subject, operator=operator, lifetime=timedelta(hours=hours))


def shown(document: Any) -> str:
    """JSON for a message of a test."""
    return json.dumps(document, indent=1, ensure_ascii=False)
