"""Efisco's vault of e.firmas: `/gestion/v1/api/certificates`."""

from itertools import islice
from typing import Any

from aiohttp import web

from certpipe.core.clock import Clock
from certpipe.simulators.sw import bodies, envelopes
from certpipe.simulators.sw.certificates import seen
from certpipe.simulators.sw.received import Received
from schemas.base import Kind

MOST_FIELS = 100_000
MOST_PER_PAGE = 1_000


class EfiscoVault:
    """One e.firma per RFC (inferred): creating it again replaces it."""

    def __init__(self, received: Received, clock: Clock) -> None:
        self._received = received
        self._clock = clock
        self._fiels: dict[str, dict[str, Any]] = {}

    async def create(self, request: web.Request) -> web.StreamResponse:
        """`POST …/certificates/create/fiel`. That it refuses a CSD is invented; the real one may take it."""
        try:
            body = await bodies.json_object(request, envelopes.FIEL)
            sent = bodies.parts(body, certificate="publickey", private_key="privatekey", title=envelopes.FIEL)
        except bodies.RefusedError as refused:
            return refused.response
        certificate = seen(sent.certificate)
        if certificate is None:
            return envelopes.error(400, envelopes.FIEL, envelopes.NOT_A_CERTIFICATE)
        if certificate.kind is not Kind.FIEL:
            return envelopes.error(400, envelopes.FIEL, envelopes.CSD_AT_FIEL_VAULT)
        now = self._clock.now()
        fiel = {
            "taxId": certificate.rfc,
            # The fields are documented, the form of the dates is invented.
            "createdDate": now.isoformat(),
            "serialNumber": certificate.number,
            "name": certificate.name,
            "notBefore": certificate.valid_from.isoformat(),
            "notAfter": certificate.valid_to.isoformat(),
        }
        self._fiels.pop(certificate.rfc, None)
        if len(self._fiels) >= MOST_FIELS:
            del self._fiels[next(iter(self._fiels))]
        self._fiels[certificate.rfc] = fiel
        self._received.add(service="efisco", seen=certificate, sent=sent, at=now)
        return envelopes.created(fiel)

    async def list(self, request: web.Request) -> web.StreamResponse:
        """`POST …/certificates/get/fiel?page&per_page`, newest first (the order is invented); pages count from 1."""
        page, per_page = (_positive(request.query.get(name), usual) for name, usual in (("page", 1), ("per_page", 10)))
        if page is None or per_page is None:
            return envelopes.error(400, envelopes.FIEL, envelopes.BAD_PAGE)
        per_page = min(per_page, MOST_PER_PAGE)
        first = (page - 1) * per_page
        records = list(islice(reversed(self._fiels.values()), first, first + per_page))
        count = -(-len(self._fiels) // per_page)
        following = f"{request.path}?page={page + 1}&per_page={per_page}" if page < count else None
        return envelopes.created(
            {
                "metaData": {
                    "page": page,
                    "perPage": per_page,
                    "pageCount": count,
                    "totalCount": len(self._fiels),
                    "links": {"current": str(request.rel_url), "next": following},
                },
                "records": records,
            }
        )

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """`DELETE …/certificates/{rfc}`. The 404 and both texts are invented."""
        if self._fiels.pop(request.match_info["rfc"], None) is None:
            return envelopes.error(404, envelopes.FIEL, envelopes.NOT_FOUND)
        return envelopes.created(envelopes.DELETED)


def _positive(text: str | None, usual: int) -> int | None:
    if text is None:
        return usual
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0  # noqa: PLR2004 - enough pages
    return number or None
