"""Efisco's vault of e.firmas: `/gestion/v1/api/certificates`. It exists in production only."""

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from certpipe.connectors.sw import problems
from certpipe.connectors.sw.answers import conflicts, looked_up, success
from certpipe.connectors.sw.facts import number_of, same_number, same_rfc
from certpipe.connectors.sw.session import SwSession
from certpipe.core.bundle import Bundle
from certpipe.core.errors import Unavailable, Uncertain
from certpipe.core.uploads import Receipt
from schemas.base import Kind
from schemas.status import CertificateFacts

PER_PAGE = 100
MOST_PAGES = 100
"""Pages that a lookup reads before it says that it cannot tell."""


class Efisco:
    """Hands over an e.firma. The answer names a certificate, and is believed only when it is the one that was sent."""

    name = "efisco"

    def __init__(self, session: SwSession) -> None:
        self._session = session
        certificates = session.api / "gestion/v1/api/certificates"
        self._create = certificates / "create/fiel"
        self._list = certificates / "get/fiel"

    def takes(self, kind: Kind, /) -> bool:
        return kind is Kind.FIEL

    def forget_refusal(self) -> None:
        self._session.forget_refusal()

    async def send(self, bundle: Bundle, facts: CertificateFacts, /) -> Receipt:
        number_of(facts)
        answer = await self._session.send(self._create, _create_request(bundle))
        if conflicts(answer) and (there := await self.find(facts)):
            return there
        data = success(answer, self._session.now()).get("data")
        if not _is_it(data, facts):
            raise Uncertain(problems.UNREADABLE)
        return self._receipt(facts, "answer")

    async def find(self, facts: CertificateFacts, /) -> Receipt | None:
        for page in range(1, MOST_PAGES + 1):
            data = await self._page(page)
            records = data.get("records")
            if not isinstance(records, list) or not records:
                return None
            if any(_is_it(record, facts) for record in records):
                return self._receipt(facts, "lookup")
            if page >= _page_count(data):
                return None
        raise Unavailable(problems.TOO_MANY)

    async def _page(self, page: int) -> Mapping[str, Any]:
        """One page of the vault; a POST without a body, which is how the service lists."""
        answer = await self._session.read("POST", self._list % {"page": page, "per_page": PER_PAGE})
        envelope = looked_up(answer, self._session.now())
        data = envelope.get("data") if envelope else None
        if not data:
            return {}
        if not isinstance(data, dict):
            raise Unavailable(problems.UNREADABLE)
        return data

    def _receipt(self, facts: CertificateFacts, confirmed_by: str) -> Receipt:
        return Receipt(
            destination=self.name, at=self._session.now(), confirmed_by=confirmed_by, reference=number_of(facts)
        )


def _create_request(bundle: Bundle) -> bytes:
    return json.dumps(
        {
            "privatekey": b64encode(bundle.private_key).decode(),
            "publickey": b64encode(bundle.certificate).decode(),
            "password": bundle.password,
        }
    ).encode()


def _is_it(record: Any, facts: CertificateFacts) -> bool:
    return (
        isinstance(record, dict)
        and same_number(record.get("serialNumber"), number_of(facts))
        and same_rfc(record.get("taxId"), facts.rfc)
    )


def _page_count(data: Mapping[str, Any]) -> int:
    """How many pages there are. Raises `Unavailable` when the answer does not say: the rest may hold what is sought."""
    metadata = data.get("metaData")
    count = metadata.get("pageCount") if isinstance(metadata, dict) else None
    if not isinstance(count, int) or isinstance(count, bool):
        raise Unavailable(problems.UNREADABLE)
    return count
