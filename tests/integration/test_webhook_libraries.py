"""The public libraries of Standard Webhooks, for Python and for Node, on what we really deliver."""

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from certpipe.core.ids import uuid7
from certpipe.core.ports.events import Told
from certpipe.core.ports.webhooks import SealedText, SigningKeys, Target
from certpipe.notify.addresses import parse_networks
from certpipe.notify.connecting import open_sessions
from certpipe.notify.sending import Sender, Signing
from certpipe.notify.signing import Signer
from schemas.event_examples import example
from schemas.events import EventType
from tests import clients
from tests.fakes import AT, HandClock
from tests.integration.receivers import Request, receiver

EVENT = example(EventType.REJECTED)  # its Spanish message has letters beyond ASCII
TOLD = Told(1, EVENT.data.organization_id, EVENT.data.upload_id, EVENT)
SEALED = SealedText("webhook-1.v1", b"")
NEW, OLD, FOREIGN = (SigningKeys(os.urandom(32), os.urandom(32)) for _ in range(3))
VERIFY = """
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";
const results = JSON.parse(readFileSync("cases.json", "utf8")).map(({ secret, headers, body }) => {
  try {
    return new Webhook(secret).verify(Buffer.from(body, "base64"), headers).id;
  } catch (error) {
    return error.message;
  }
});
console.log(JSON.stringify(results));
"""


@dataclass(frozen=True)
class Case:
    """A delivery as it came in, or was tampered with, and what a library is to say of it."""

    keys: SigningKeys
    request: Request
    said: str = EVENT.id

    @property
    def secret(self) -> str:
        return f"whsec_{base64.b64encode(self.keys.hmac).decode()}"

    @property
    def headers(self) -> dict[str, str]:
        return {name: value for name, value in self.request.headers.items() if name.startswith("webhook-")}


async def delivered(signer: Signer, ago: timedelta = timedelta(0)) -> Request:
    """What came in at a receiver."""
    async with receiver() as it, open_sessions(parse_networks("127.0.0.0/8")) as sessions:
        sender = Sender(sessions, HandClock(datetime.now(UTC) - ago), user_agent="certpipe/0")
        target = Target(uuid7(), 1, AT, it.url(), SEALED, SEALED, None, None, 0, None, None)
        assert (await sender.send(target, Signing(signer, {}), TOLD)).delivered
    return it.requests[0]


def changed(request: Request) -> Request:
    return Request(request.line, request.headers, request.body.replace(b"upload.", b"upl0ad.", 1))


async def cases() -> Mapping[str, Case]:
    plain = await delivered(Signer(NEW))
    rotated = await delivered(Signer(NEW, OLD, datetime.now(UTC) + timedelta(hours=1)))
    no_match = "No matching signature found"
    return {
        "a good one": Case(NEW, plain),
        "a changed byte": Case(NEW, changed(plain), no_match),
        "a foreign secret": Case(FOREIGN, plain, no_match),
        "an old timestamp": Case(NEW, await delivered(Signer(NEW), timedelta(minutes=10)), "Message timestamp too old"),
        "the new secret while both sign": Case(NEW, rotated),
        "the old secret while both sign": Case(OLD, rotated),
        "a foreign secret while both sign": Case(FOREIGN, rotated, no_match),
        "the old secret afterwards": Case(OLD, plain, no_match),
    }


def python(case: Case) -> str:
    try:
        return str(Webhook(case.secret).verify(case.request.body, case.headers)["id"])
    except WebhookVerificationError as error:
        return str(error)


def expected(all_cases: Mapping[str, Case]) -> dict[str, str]:
    return {name: case.said for name, case in all_cases.items()}


async def test_the_python_library_takes_what_we_deliver_and_nothing_else() -> None:
    all_cases = await cases()
    assert {name: python(case) for name, case in all_cases.items()} == expected(all_cases)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_the_node_library_takes_what_we_deliver_and_nothing_else(tmp_path: Path, shared_folder: Path) -> None:
    clients.need(clients.NODE, shared_folder)
    clients.node_modules(tmp_path, ["standardwebhooks@1"])
    all_cases = await cases()
    content = [
        {"secret": case.secret, "headers": case.headers, "body": base64.b64encode(case.request.body).decode()}
        for case in all_cases.values()
    ]
    (tmp_path / "cases.json").write_text(json.dumps(content), "utf-8")
    (tmp_path / "verify.mjs").write_text(VERIFY, "utf-8")
    said = json.loads(await clients.run("node", "verify.mjs", folder=tmp_path))
    assert dict(zip(all_cases, said, strict=True)) == expected(all_cases)
