"""Golden transcripts: what a vendor's client sends and what it gets, with placeholders for what differs every time.

In what is sent, `{name}` is replaced: `{party}`, `{organization}`, `{elsewhere}`, `{unknown}`, `{key}`, `{other_key}`,
`{csd.password}`, `{csd.cer}` (base64) and so on. In what comes, also `<uuid>`, `<instant>` and `<text>` stand for any
such value, and `<uuid:x>` for one that is the same wherever `x` stands.
"""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp

from certpipe.core.bundle import Bundle
from tests.bundles import quoted
from tests.golden_schemas import GOLDEN, assert_fits
from tests.vendors import Vendors, shown

_PLACE = re.compile(r"\{([a-z_.]+)\}")
_WILD = re.compile(r"<(uuid|instant|text)(?::([a-z]+))?>")
_KINDS = {
    "uuid": r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    "instant": r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z",
    "text": r".+",
}


@dataclass(frozen=True, slots=True)
class Transcript:
    """`party`: the kind of party that it is about, made anew for it; `rfc`: whose."""

    vendor: str
    expects: str
    party: str
    rfc: str
    exchanges: Sequence[Mapping[str, Any]]

    def __str__(self) -> str:
        return self.expects


def of(vendor: str) -> list[Transcript]:
    """All of a vendor's."""
    files = sorted(file for file in (GOLDEN / vendor).glob("*.json") if not file.name.startswith("schema"))
    return [_read(vendor, file) for file in files]


def _read(vendor: str, file: Path) -> Transcript:
    document = json.loads(file.read_text(encoding="utf-8"))
    rfc = document.get("rfc", "{csd.rfc}")
    return Transcript(vendor, document["expects"], document["party"], rfc, document["exchanges"])


@dataclass(slots=True)
class Replay:
    """One transcript against a running certpipe. `values`: what the placeholders stand for."""

    transcript: Transcript
    vendors: Vendors
    bundles: Mapping[str, Bundle]
    values: dict[str, str] = field(default_factory=dict)

    async def run(self) -> None:
        """Every exchange in its order; the answers are those of the transcript."""
        self.values.update(quoted(self.bundles))
        for name, bundle in self.bundles.items():
            self.values[f"{name}.cer"] = base64.b64encode(bundle.certificate).decode()
            self.values[f"{name}.key"] = base64.b64encode(bundle.private_key).decode()
        self.values |= {name: str(uuid4()) for name in ("unknown", "key", "other_key")}
        rfc = self._filled(self.transcript.rfc)
        organization = await self.vendors.organization_of(rfc)
        self.values |= {"organization": organization, "elsewhere": self.vendors.elsewhere}
        self.values["party"] = await self.vendors.party_of(organization, self.transcript.party, rfc)
        async with aiohttp.ClientSession(self.vendors.url, trust_env=False) as http:
            for exchange in self.transcript.exchanges:
                await self._exchange(http, exchange)

    async def _exchange(self, http: aiohttp.ClientSession, exchange: Mapping[str, Any]) -> None:
        asked, expected = exchange["request"], exchange["reply"]
        headers = {name: self._filled(value) for name, value in asked.get("headers", {}).items()}
        who = exchange.get("as", "owner")
        if who != "nobody":
            headers["Authorization"] = f"Bearer {self.vendors.token(who)}"
        path = self._filled(asked["path"])
        async with http.request(asked["method"], path, headers=headers, data=self._body(asked, headers)) as answer:
            body = await answer.read()
            assert answer.status == expected["status"], (answer.status, body.decode())
            for name, pattern in expected.get("headers", {}).items():
                assert self._matches(pattern, answer.headers.get(name)), (name, answer.headers.get(name))
        self._compare(expected, answer.headers.get("Content-Type"), body)

    def _compare(self, expected: Mapping[str, Any], content_type: str | None, body: bytes) -> None:
        if expected.get("body") is None:
            assert body == b""
            return
        assert content_type == "application/json"
        document = json.loads(body)
        assert self._matches(expected["body"], document), f"{shown(document)}\nis not\n{shown(expected['body'])}"
        assert_fits(document, self.transcript.vendor, expected["schema"])

    def _body(self, asked: Mapping[str, Any], headers: dict[str, str]) -> Any:
        if "json" in asked:
            headers["Content-Type"] = "application/json"
            return json.dumps({name: self._filled(value) for name, value in asked["json"].items()}).encode()
        if "text" in asked:
            return asked["text"].encode()
        if "multipart" not in asked:
            return None
        form = aiohttp.FormData(default_to_multipart=True)
        for part in asked["multipart"]:
            if "file" in part:
                name = part["file"]
                form.add_field(part["name"], self._file(name), filename=part.get("filename", name))
            else:
                form.add_field(part["name"], self._filled(part["text"]))
        return form

    def _file(self, name: str) -> bytes:
        """`csd.cer` and `csd.key` of a bundle; `empty.cer` holds nothing."""
        return b"" if name.startswith("empty.") else base64.b64decode(self.values[name])

    def _filled(self, text: str) -> str:
        return _PLACE.sub(lambda match: self.values[match[1]], text)

    def _matches(self, expected: Any, actual: Any) -> bool:
        if isinstance(expected, dict):
            same = isinstance(actual, dict) and expected.keys() == actual.keys()
            return same and all(self._matches(value, actual[name]) for name, value in expected.items())
        if isinstance(expected, str):
            return isinstance(actual, str) and self._text_matches(expected, actual)
        return type(expected) is type(actual) and bool(expected == actual)

    def _text_matches(self, expected: str, actual: str) -> bool:
        pattern, names, end = "", [], 0
        for match in _WILD.finditer(expected):
            known = self.values.get(f"<{match[2]}>") if match[2] else None
            pattern += re.escape(self._filled(expected[end : match.start()]))
            pattern += f"({_KINDS[match[1]] if known is None else re.escape(known)})"
            names.append(match[2])
            end = match.end()
        found = re.fullmatch(pattern + re.escape(self._filled(expected[end:])), actual, re.DOTALL)
        if found is None:
            return False
        self.values |= {f"<{name}>": value for name, value in zip(names, found.groups(), strict=True) if name}
        return True
