"""After uploads of every sort, good, bad and broken off: no trace of the password or of the key, anywhere.

`CERTPIPE_CANARY_UPLOADS` says how many good ones (a hundred by default).
"""

import asyncio
import base64
import json
import os
import secrets
import subprocess
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import aiohttp
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from certpipe.core.bundle import Bundle
from certpipe.development.postgres import EmbeddedPostgres
from certpipe.simulators.authority import RFC, Authority, Issued, new_key
from schemas.base import Kind
from tests.installation import Installation
from tests.producer import Producer
from tests.security.needles import Needles
from tests.trusting import trusting

UPLOADS = int(os.environ.get("CERTPIPE_CANARY_UPLOADS", "100"))
AT_ONCE = 12
HEADER = 38
"""Bytes before the modulus in any PKCS#8 of an RSA key of 2048 bits: the same in all keys of the world."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300 + 2 * UPLOADS)]


@dataclass
class Canary:
    """An installation that trusts the test's authority, and a pair that nobody else has."""

    installation: Installation
    authority: Authority
    issued: Issued
    temporary: Path
    answers: list[bytes] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    parties: Sequence[UUID] = ()

    @property
    def plain_key(self) -> bytes:
        return self.issued.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    @property
    def bundle(self) -> Bundle:
        return self.issued.bundle

    def party(self, number: int) -> UUID:
        return self.parties[number % len(self.parties)]

    def fields(self, bundle: Bundle, number: int = 0) -> dict[str, str | bytes]:
        return {
            "certificate": bundle.certificate,
            "private_key": bundle.private_key,
            "password": bundle.password,
            "party_id": str(self.party(number)),
            "kind": "csd",
        }

    def with_parts(self, **parts: Any) -> Bundle:
        """The bundle with something else in the place of a part."""
        mine = {name: getattr(self.bundle, name) for name in ("certificate", "private_key", "password")}
        return Bundle(**{**mine, **parts})

    async def ask(self, http: aiohttp.ClientSession, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Ask, and keep the answer, its headers too, for the search."""
        async with http.request(method, path, **options) as answer:
            body = await answer.read()
            self.answers.append(body + repr(answer.raw_headers).encode())
            if answer.status == 202:
                self.accepted.append(answer.headers["Location"].rpartition("/")[2])
            return json.loads(body) if body else {}


def multipart(fields: dict[str, str | bytes]) -> aiohttp.FormData:
    form = aiohttp.FormData()
    for name, value in fields.items():
        form.add_field(name, value, filename=f"{name}.bin" if isinstance(value, bytes) else None)
    return form


def lummys(canary: Canary, fields: dict[str, str | bytes]) -> dict[str, Any]:
    """A request of Lummy's clients, who do not wait here."""
    organization, key = str(canary.installation.organization_id), str(uuid4())
    names = {"cerFile": "certificate", "keyFile": "private_key", "password": "password"}
    return {
        "data": multipart({name: fields[ours] for name, ours in names.items()}),
        "headers": {"x-organization-id": organization, "x-idempotency": key, "Prefer": "respond-async"},
    }


def in_json(fields: dict[str, str | bytes]) -> dict[str, str]:
    return {
        name: base64.b64encode(value).decode() if isinstance(value, bytes) else value for name, value in fields.items()
    }


@pytest.fixture
async def canary(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Canary]:
    """Private RabbitMQ, PostgreSQL of its own, a temporary folder of its own, and everything logged."""
    tmp_path = tmp_path_factory.mktemp("canary")  # short: sockets lie below it
    temporary, authority = tmp_path / "tmp", Authority.create(at=datetime.now(UTC))
    temporary.mkdir()
    installation = trusting(
        tmp_path / "data", authority, CERTPIPE_RABBITMQ="local", CERTPIPE_LOG_LEVEL="DEBUG", TMPDIR=str(temporary)
    )
    password = f"canary-{secrets.token_hex(16)}"
    found = Canary(installation, authority, authority.issue(Kind.CSD, password=password), temporary)
    await installation.start()
    found.parties = await parties(found, 8)
    yield found
    await installation.stop()


async def parties(canary: Canary, count: int) -> Sequence[UUID]:
    ids = [uuid4() for _ in range(count)]
    body = {"organization_id": str(canary.installation.organization_id), "kind": "branch", "rfc": RFC, "name": "Norte"}
    async with canary.installation.client() as http:
        for party in ids:
            await canary.ask(http, "PUT", f"/v1/parties/{party}", json=body)
    return ids


async def test_no_trace_of_the_password_or_of_the_key_is_left(canary: Canary) -> None:
    installation = canary.installation
    await set_faults(canary)
    await good_uploads(canary)
    await bad_uploads(canary)
    await odd_requests(canary)
    await broken_off(canary)
    await installation.kill()  # a crash leaves what a clean end would have put away
    await installation.start()
    await account_mended(canary)
    ends = await ended(canary)
    assert ends["forwarded"] > 0
    assert ends["rejected"] > 0
    assert len(canary.accepted) >= UPLOADS

    dump = await asyncio.to_thread(dumped, installation.folder)
    assert str(canary.accepted[0]).encode() in dump
    needles = Needles(canary.bundle.password.encode(), canary.plain_key[HEADER:])
    running = list(needles.files_with(installation.folder))
    assert await installation.stop() == 0, installation.log
    assert running == []
    assert list(needles.files_with(installation.folder)) == []
    assert list(needles.files_with(canary.temporary)) == []
    assert not needles.found_in(dump)
    assert not needles.found_in(installation.log.encode())
    assert not any(needles.found_in(answer) for answer in canary.answers)
    assert '"level": "debug"' in installation.log

    (installation.folder / "rabbitmq" / "planted").write_bytes(b"." * 5 + canary.plain_key[700:716])
    assert [path.name for path in needles.files_with(installation.folder)] == ["planted"]


async def set_faults(canary: Canary) -> None:
    """The PAC fails now and then, in every way in which an answer or a request can go wrong."""
    kinds = ["cut_after_storing", "cut_before_storing", "html", "malformed"]
    rules = [{"kind": kind, "rate": 0.1, "times": 5, "seed": seed} for seed, kind in enumerate(kinds)]
    rules += [{"kind": "status", "status": 500, "rate": 0.1, "times": 5}, {"kind": "wrong_token", "times": 2}]
    rules += [{"kind": "status", "status": 400, "times": 2}]
    async with (
        aiohttp.ClientSession() as http,
        http.put(f"{canary.installation.dev['simulator_url']}/_faults", json=rules) as answer,
    ):
        assert answer.ok


async def good_uploads(canary: Canary) -> None:
    """By turns as multipart, as JSON, in a dialect, and sealed through the broker."""
    numbers = iter(range(UPLOADS))

    async def client(http: aiohttp.ClientSession, producer: Producer) -> None:
        for number in numbers:
            fields = canary.fields(canary.bundle, number)
            if number % 4 == 0:
                await canary.ask(http, "POST", "/v1/uploads", data=multipart(fields))
            elif number % 4 == 1:
                await canary.ask(http, "POST", "/v1/uploads", json=in_json(fields))
            elif number % 4 == 2:
                await canary.ask(http, "PUT", f"/branches/{canary.party(number)}/csd", **lummys(canary, fields))
            else:
                message = producer.sealed(canary.bundle, canary.party(number), Kind.CSD)
                await published(canary, producer, message.model_dump_json().encode())

    async with canary.installation.client() as http, Producer.connect(canary.installation) as producer:
        await asyncio.gather(*(client(http, producer) for _ in range(AT_ONCE)))


async def published(canary: Canary, producer: Producer, body: bytes) -> None:
    reply = await producer.publish(body)
    canary.answers.append(json.dumps(reply).encode())
    if reply["accepted"]:
        canary.accepted.append(reply["upload_id"])


async def bad_uploads(canary: Canary) -> None:
    """Bundles that are refused in the middle of the pipeline, through both doors."""
    other = canary.authority.issue(Kind.CSD, key=new_key())
    pem = canary.issued.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    bundles = [
        canary.with_parts(password="not-the-word"),
        canary.with_parts(certificate=other.bundle.certificate),
        canary.with_parts(private_key=other.bundle.private_key),
        canary.with_parts(private_key=canary.plain_key),
        canary.with_parts(private_key=pem),
        canary.with_parts(certificate=canary.plain_key),
        canary.with_parts(certificate=canary.bundle.private_key, private_key=canary.bundle.certificate),
        canary.with_parts(certificate=canary.bundle.password.encode()),
        canary.with_parts(private_key=canary.bundle.private_key[:-9]),
    ]
    async with canary.installation.client() as http, Producer.connect(canary.installation) as producer:
        for bundle in bundles:
            await canary.ask(http, "POST", "/v1/uploads", data=multipart(canary.fields(bundle)))
            await canary.ask(http, "POST", "/v1/uploads", json=in_json(canary.fields(bundle)))
            check = {name: canary.fields(bundle)[name] for name in ("certificate", "private_key", "password")}
            await canary.ask(http, "POST", "/v1/checks", json=in_json(check))
            message = producer.sealed(bundle, canary.party(0), Kind.CSD)
            await published(canary, producer, message.model_dump_json().encode())
        foreign = producer.sealed(canary.bundle, uuid4(), Kind.CSD)
        for body in (b"\xff", b"{}", foreign.model_dump_json().encode(), foreign.model_dump_json().encode()[:-40]):
            await published(canary, producer, body)
        mine = producer.clear(other.bundle, canary.party(0), Kind.CSD)
        await published(canary, producer, mine.model_dump_json().encode())


async def odd_requests(canary: Canary) -> None:
    """Requests that are refused at the door, with the secrets in every place where somebody may put them."""
    password, fields = canary.bundle.password, canary.fields(canary.bundle)
    secret = base64.b64encode(canary.plain_key).decode()
    texts = in_json(fields)
    async with canary.installation.client() as http:
        for body in (
            {**texts, "party_id": password},
            {**texts, "kind": password},
            {**texts, "private_key": f"data:;base64,{secret}"},
            {**texts, "private_key": secret[:-1] + "!"},
            {**texts, "password": [password]},
            {**texts, "certificate": secret * 100},
            [texts],
        ):
            await canary.ask(http, "POST", "/v1/uploads", json=body)
        cut = json.dumps(texts).encode()[:-2]
        await canary.ask(http, "POST", "/v1/uploads", data=cut, headers={"Content-Type": "application/json"})
        await canary.ask(http, "POST", "/v1/uploads", data=multipart({**fields, "private_key": canary.plain_key * 60}))
        await canary.ask(http, "POST", "/v1/uploads", data=multipart({**fields, "party_id": password}))
        await canary.ask(http, "POST", "/v1/uploads", data=cut, headers={"Content-Type": "multipart/form-data"})
        for _ in range(2):
            keyed = {"Idempotency-Key": "again"}
            await canary.ask(http, "POST", "/v1/uploads", json=texts, headers=keyed)
        await canary.ask(http, "POST", "/v1/uploads", json={**texts, "kind": "fiel"}, headers=keyed)
        lummy, invopop = f"/branches/{canary.party(0)}/csd", f"/apps/sw-sapien/v1/entry/{uuid4()}/certificate"
        keyed = {"x-organization-id": password, "x-idempotency": secret[:64]}
        await canary.ask(http, "PUT", lummy, **{**lummys(canary, fields), "headers": keyed})
        await canary.ask(http, "PUT", lummy, **lummys(canary, {**fields, "certificate": canary.plain_key}))
        await canary.ask(http, "PUT", lummy, data=cut, headers={"Content-Type": "multipart/form-data"})
        await canary.ask(http, "POST", invopop, json={"cer_file": secret, "key_file": [secret], password: password})
        await canary.ask(http, "GET", "/v1/uploads", params={"state": password})
        await canary.ask(http, "GET", f"/v1/uploads/{password}")
        await canary.ask(http, "POST", "/v1/uploads", headers={"Authorization": f"Bearer {password}"}, json=texts)


async def broken_off(canary: Canary) -> None:
    """Connections that are cut in the middle of a body, at several places."""
    boundary = "limit"
    parts = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'.encode()
        + (value if isinstance(value, bytes) else value.encode())
        + b"\r\n"
        for name, value in {**canary.fields(canary.bundle), "private_key": canary.plain_key}.items()
    )
    url, token = urlsplit(canary.installation.dev["url"]), canary.installation.dev["token"]
    head = (
        f"POST /v1/uploads HTTP/1.1\r\nHost: {url.netloc}\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: multipart/form-data; boundary={boundary}\r\nContent-Length: {len(parts) + 100}\r\n\r\n"
    ).encode()
    for length in range(200, len(parts), 700):
        _, writer = await asyncio.open_connection(url.hostname, url.port)
        writer.write(head + parts[:length])
        await writer.drain()
        writer.transport.abort()


async def account_mended(canary: Canary) -> None:
    """The PAC had refused our account, and would be left alone for minutes."""
    async with canary.installation.client() as http:
        for service in ("sw-vault", "efisco"):
            await canary.ask(http, "POST", f"/v1/services/{service}/reset")


async def ended(canary: Canary) -> dict[str, int]:
    """Wait for the ends of all that was accepted, and read everything that can be read of them."""
    ends: dict[str, int] = {"forwarded": 0, "rejected": 0, "superseded": 0, "failed": 0}
    async with canary.installation.client() as http:
        for upload_id in canary.accepted:
            status: dict[str, Any] = {"ended": False}
            while not status["ended"]:
                status = await canary.ask(http, "GET", f"/v1/uploads/{upload_id}", params={"wait": "30"})
            ends[status["state"]] += 1
        certificates = await canary.ask(http, "GET", "/v1/certificates")
        for item in certificates["items"]:
            await canary.ask(http, "GET", f"/v1/certificates/{item['id']}")
        for path in ("/v1/uploads", "/v1/sealing-keys", "/readyz", "/v1/organizations"):
            await canary.ask(http, "GET", path)
    return ends


def dumped(folder: Path) -> bytes:
    """Everything in the database, as a backup has it."""
    server = EmbeddedPostgres(folder / "postgres")
    command = server._command("pg_dump", "--dbname", server.url)
    return subprocess.run(command, capture_output=True, check=True, timeout=120).stdout
