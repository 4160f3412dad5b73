"""The code of the vendors' own documents, as it stands there but for the host, ids, the token and names of files."""

import base64
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from jsonschema import Draft202012Validator

from certpipe.core.bundle import Bundle
from schemas.base import Kind
from tests import clients
from tests.documents import INVOPOP, LUMMY, TIMBRIX, between, curl_lines, document, indented, openapi
from tests.golden_schemas import assert_fits
from tests.vendors import Vendors

# Installing what the clients are written for takes its time on a bare machine.
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow, pytest.mark.timeout(900)]

LUMMY_HOST, TIMBRIX_HOSTS = "https://sandbox.lummy.io", ("https://api.timbrix.com", "https://api.example.com")
LUMMY_PASSWORD, TIMBRIX_PASSWORD = "nueva_contrasena_csd", "your_certificate_password"
SUCCESS = re.compile(r"CSD actualizado exitosamente\nID: ([0-9a-f-]{36})\n")


@dataclass(frozen=True, slots=True)
class Client:
    """A folder with the files that Lummy's code opens, a branch, and what the code finds in its environment."""

    running: Vendors
    folder: Path
    branch: str

    def code(self, start: str, end: str) -> str:
        """One of the document's four clients, for this branch of this certpipe."""
        text = between(document(LUMMY), start, end)
        assert LUMMY_HOST in text
        return text.replace(LUMMY_HOST, self.running.url).replace("your-branch-uuid", self.branch)

    async def run(self, *command: str) -> str:
        return await clients.run(
            *command,
            folder=self.folder,
            LUMMY_ORG_ID=self.running.organization,
            ACCESS_TOKEN=self.running.token("owner"),
            BRANCH_ID=self.branch,
        )

    async def stored(self) -> Any:
        """The certificate that the branch has now."""
        headers = {"x-organization-id": self.running.organization}
        path = f"/branches/{self.branch}/csd"
        async with self.running.installation.client() as http, http.get(path, headers=headers) as answer:
            return await answer.json()

    async def assert_says(self, said: str) -> None:
        """What the document's code prints, with the id of the certificate that is stored now."""
        match = SUCCESS.fullmatch(said)
        assert match is not None, said
        assert match[1] == (await self.stored())["id"]


@pytest_asyncio.fixture(loop_scope="module")
async def lummy(running: Vendors, tmp_path: Path) -> Client:
    write(running, tmp_path, "nuevo_certificado.cer", "nueva_llave.key", LUMMY_PASSWORD)
    return Client(running, tmp_path, await running.party("branch"))


def write(running: Vendors, folder: Path, certificate: str, private_key: str, password: str) -> None:
    """A CSD whose password is the document's."""
    bundle = running.authority.issue(Kind.CSD, password=password).bundle
    (folder / certificate).write_bytes(bundle.certificate)
    (folder / private_key).write_bytes(bundle.private_key)


async def test_lummys_curl(lummy: Client, shared_folder: Path) -> None:
    clients.need(clients.PROGRAMS, shared_folder)
    command = lummy.code("curl -X PUT", "import axios").replace("/path/to/", "")
    assert_fits(json.loads(await lummy.run("bash", "-c", command)), "lummy", "uploaded")


async def test_lummys_node(lummy: Client, shared_folder: Path) -> None:
    clients.need(clients.NODE, shared_folder)
    clients.node_modules(lummy.folder)
    (lummy.folder / "client.ts").write_text(lummy.code("import axios", "import os"), encoding="utf-8")
    await lummy.run(
        "node_modules/.bin/esbuild", "client.ts", "--format=esm", "--outfile=client.mjs", "--log-level=error"
    )
    await lummy.assert_says(await lummy.run("node", "client.mjs"))


async def test_lummys_python(lummy: Client) -> None:
    code = indented(lummy.code("import os", "<?php"))
    (lummy.folder / "client.py").write_text(code, encoding="utf-8")
    await lummy.assert_says(await lummy.run(sys.executable, "client.py"))


async def test_lummys_php(lummy: Client, shared_folder: Path) -> None:
    clients.need(clients.PHP, shared_folder)
    (lummy.folder / "vendor").mkdir()
    autoloaders = "".join(f"require '{file}';\n" for file in clients.PHP if file.endswith("autoload.php"))
    (lummy.folder / "vendor" / "autoload.php").write_text(f"<?php\n{autoloaders}", encoding="ascii")
    (lummy.folder / "client.php").write_text(lummy.code("<?php", "Respuestas"), encoding="utf-8")
    await lummy.assert_says(await lummy.run("php", "client.php"))


async def test_lummys_code_is_told_of_a_wrong_password(lummy: Client) -> None:
    """As its libraries tell of any 400: by an exception."""
    write(lummy.running, lummy.folder, "nuevo_certificado.cer", "nueva_llave.key", "another password")
    code = indented(lummy.code("import os", "<?php"))
    (lummy.folder / "client.py").write_text(code, encoding="utf-8")
    with pytest.raises(AssertionError, match="400 Client Error"):
        await lummy.run(sys.executable, "client.py")


@dataclass(frozen=True, slots=True)
class Timbrix:
    """Its two curl lines, for an organization of this certpipe, in a folder with the files that they name."""

    running: Vendors
    folder: Path
    example: str
    generated: str

    @classmethod
    async def of(cls, running: Vendors, folder: Path) -> "Timbrix":
        write(running, folder, "certificate.cer", "private.key", TIMBRIX_PASSWORD)
        organization, token = await running.party("organization"), running.token("owner")
        generated, example = curl_lines(document(TIMBRIX))
        for host in TIMBRIX_HOSTS:
            generated, example = generated.replace(host, running.url), example.replace(host, running.url)
        return cls(
            running,
            folder,
            example=example.replace("123e4567-e89b-12d3-a456-426614174000", organization)
            .replace("YOUR_TOKEN", token)
            .replace("/path/to/", ""),
            generated=generated.replace("{id}", organization).replace("<authorization>", f"Bearer {token}"),
        )

    async def run(self, command: str) -> Any:
        return json.loads(await clients.run("bash", "-c", command, folder=self.folder))


async def test_timbrixs_curl(running: Vendors, tmp_path: Path, shared_folder: Path) -> None:
    clients.need(clients.PROGRAMS, shared_folder)
    timbrix = await Timbrix.of(running, tmp_path)
    assert_fits(await timbrix.run(timbrix.example), "timbrix", "uploaded")


async def test_timbrixs_other_curl_which_sends_no_files_is_told_to(
    running: Vendors, tmp_path: Path, shared_folder: Path
) -> None:
    """The document's head was generated: it sends JSON with a password alone."""
    clients.need(clients.PROGRAMS, shared_folder)
    timbrix = await Timbrix.of(running, tmp_path)
    body = await timbrix.run(timbrix.generated)
    assert_fits(body, "timbrix", "error")
    assert body["statusCode"] == 400


@dataclass(frozen=True, slots=True)
class Invopop:
    """A client made of its OpenAPI document: the path, the members and the answers are those that stand there."""

    running: Vendors
    folder: Path
    path: str
    operation: Mapping[str, Any]

    @classmethod
    def of(cls, running: Vendors, folder: Path) -> "Invopop":
        ((path, item),) = openapi(document(INVOPOP))["paths"].items()
        return cls(running, folder, path, item["post"])

    async def post(self, entry: str, bundle: Bundle, *, password: str | None = None) -> str:
        """By curl; the status of the answer, whose body is what the document says."""
        content = self.operation["requestBody"]["content"]
        schema = content["application/json"]["schema"]
        values = (
            base64.b64encode(bundle.certificate).decode(),
            base64.b64encode(bundle.private_key).decode(),
            bundle.password if password is None else password,
        )
        sent = dict(zip(schema["required"], values, strict=True))
        Draft202012Validator(schema).validate(sent)
        (self.folder / "body.json").write_text(json.dumps(sent), encoding="utf-8")
        url = self.running.url + self.path.replace("{silo_entry_id}", entry)
        headers = (
            f"Authorization: Bearer {self.running.token('owner')}",
            *(f"Content-Type: {kind}" for kind in content),
        )
        options = [word for header in headers for word in ("--header", header)]
        command = ("curl", "-s", "-X", "POST", url, *options, "--data", "@body.json", "-w", "\n%{http_code}")
        body, _, status = (await clients.run(*command, folder=self.folder)).rpartition("\n")
        self._check(status, body)
        return status

    def _check(self, status: str, body: str) -> None:
        described = self.operation["responses"][status].get("content")
        if described is None:
            assert body == ""
            return
        schema = described["application/json"]["schema"]
        Draft202012Validator(schema).validate(json.loads(body))
        assert schema["properties"].keys() <= json.loads(body).keys()


async def test_a_client_of_invopops_openapi(running: Vendors, tmp_path: Path, shared_folder: Path) -> None:
    clients.need(clients.PROGRAMS, shared_folder)
    invopop, entry, good = Invopop.of(running, tmp_path), await running.party("entry"), running.bundles["fiel"]
    assert await invopop.post(entry, good, password="wrong") == "400"
    assert await invopop.post(entry, running.bundles["old_fiel"]) == "422"
    assert await invopop.post(entry, good) == "204"
    assert await invopop.post(entry, good) == "404"
