"""The CSD vault of SW's stamping service: `/certificates`."""

import json
from base64 import b64encode
from typing import Any

from certpipe.connectors.sw import problems
from certpipe.connectors.sw.answers import conflicts, looked_up, success
from certpipe.connectors.sw.facts import number_of
from certpipe.connectors.sw.session import SwSession
from certpipe.core.bundle import Bundle
from certpipe.core.errors import Unavailable, Uncertain
from certpipe.core.uploads import Receipt
from schemas.base import Kind
from schemas.status import CertificateFacts


class SwVault:
    """Saves a CSD, and reads it back, because the answer to `save` names no certificate."""

    name = "sw-vault"

    def __init__(self, session: SwSession) -> None:
        self._session = session
        self._certificates = session.services / "certificates"
        self._save = self._certificates / "save"

    def takes(self, kind: Kind, /) -> bool:
        return kind is Kind.CSD

    def forget_refusal(self) -> None:
        self._session.forget_refusal()

    async def send(self, bundle: Bundle, facts: CertificateFacts, /) -> Receipt:
        number_of(facts)
        answer = await self._session.send(self._save, _save_request(bundle))
        if conflicts(answer) and (there := await self.find(facts)):
            return there
        success(answer, self._session.now())
        try:
            found = await self.find(facts)
        except Unavailable:
            found = None
        if found is None:
            raise Uncertain(problems.LOST)
        return found

    async def find(self, facts: CertificateFacts, /) -> Receipt | None:
        number = number_of(facts)
        answer = await self._session.read("GET", self._certificates / number)
        envelope = looked_up(answer, self._session.now())
        data = envelope.get("data") if envelope else None
        if not data:
            return None
        if number not in _numbers(data):
            raise Unavailable(problems.UNREADABLE)
        return Receipt(destination=self.name, at=self._session.now(), confirmed_by="lookup", reference=number)


def _save_request(bundle: Bundle) -> bytes:
    return json.dumps(
        {
            "type": "stamp",
            "b64Cer": b64encode(bundle.certificate).decode(),
            "b64Key": b64encode(bundle.private_key).decode(),
            "password": bundle.password,
            "is_active": True,
        }
    ).encode()


def _numbers(data: Any) -> frozenset[str]:
    """The certificate numbers in `data`: one object as documented, or a list of them."""
    entries = data if isinstance(data, list) else [data]
    return frozenset(
        entry["certificate_number"]
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("certificate_number"), str)
    )
