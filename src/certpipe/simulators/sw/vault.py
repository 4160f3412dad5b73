"""The CSD vault: `/certificates`."""

from base64 import b64encode
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from certpipe.core.clock import Clock
from certpipe.simulators.sw import bodies, envelopes
from certpipe.simulators.sw.certificates import seen
from certpipe.simulators.sw.received import Received
from schemas.base import Kind

MOST_CERTIFICATES = 50_000

Info = dict[str, Any]


class Vault:
    """What is saved is kept by certificate number; saving it again replaces it (inferred: no source says)."""

    def __init__(self, received: Received, clock: Clock) -> None:
        self._received = received
        self._clock = clock
        self._infos: dict[str, Info] = {}
        self._active: dict[tuple[str, str], str] = {}

    async def save(self, request: web.Request) -> web.StreamResponse:
        """`POST /certificates/save`."""
        try:
            body = await bodies.json_object(request, envelopes.CERTIFICATES)
            sent = bodies.parts(body, certificate="b64Cer", private_key="b64Key", title=envelopes.CERTIFICATES)
        except bodies.RefusedError as refused:
            return refused.response
        certificate = seen(sent.certificate)
        if certificate is None:
            return envelopes.error(400, envelopes.CERTIFICATES, envelopes.NOT_A_CERTIFICATE)
        if certificate.kind is not Kind.CSD:
            return envelopes.error(400, envelopes.CERTIFICATES, envelopes.FIEL_AT_CSD_VAULT)
        self._keep(
            {
                "issuer_rfc": certificate.rfc,
                "certificate_number": certificate.number,
                "csd_certificate": b64encode(sent.certificate).decode(),
                "is_active": body.get("is_active") is not False,
                "issuer_business_name": certificate.name,
                # The fields are documented, the form of the dates is invented.
                "valid_from": certificate.valid_from.isoformat(),
                "valid_to": certificate.valid_to.isoformat(),
                "certificate_type": body.get("type") if isinstance(body.get("type"), str) else "stamp",
            }
        )
        self._received.add(service="vault", seen=certificate, sent=sent, at=self._clock.now())
        return envelopes.success(envelopes.SAVED)

    async def all(self, _request: web.Request) -> web.StreamResponse:
        """`GET /certificates`."""
        return envelopes.success(list(self._infos.values()))

    async def by_number(self, request: web.Request) -> web.StreamResponse:
        """`GET /certificates/{certificate_number}`."""
        return _found(self._infos.get(request.match_info["number"]))

    async def by_rfc(self, request: web.Request) -> web.StreamResponse:
        """`GET /certificates/rfc/{rfc}`."""
        return envelopes.success(_where(self._infos.values(), "issuer_rfc", request.match_info["rfc"]))

    async def active(self, request: web.Request) -> web.StreamResponse:
        """`GET /certificates/rfc/{rfc}/{type}`: the active one."""
        number = self._active.get((request.match_info["rfc"], request.match_info["type"]), "")
        return _found(self._infos.get(number))

    async def by_type(self, request: web.Request) -> web.StreamResponse:
        """`GET /certificates/type/{type}`."""
        return envelopes.success(_where(self._infos.values(), "certificate_type", request.match_info["type"]))

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """`DELETE /certificates/{certificate_number}`."""
        info = self._infos.pop(request.match_info["number"], None)
        if info is None:
            return _found(None)
        if self._active.get(_slot(info)) == info["certificate_number"]:
            del self._active[_slot(info)]
        return envelopes.success(envelopes.DELETED)

    def _keep(self, info: Info) -> None:
        """An active certificate takes the place of the one that was active for its RFC and type."""
        number = info["certificate_number"]
        self._infos.pop(number, None)
        if len(self._infos) >= MOST_CERTIFICATES:
            del self._infos[next(iter(self._infos))]
        if info["is_active"]:
            before = self._infos.get(self._active.get(_slot(info), ""))
            if before is not None:
                before["is_active"] = False
            self._active[_slot(info)] = number
        self._infos[number] = info


def _slot(info: Info) -> tuple[str, str]:
    return info["issuer_rfc"], info["certificate_type"]


def _where(infos: Iterable[Info], name: str, value: str) -> list[Info]:
    return [info for info in infos if info[name] == value]


def _found(info: Info | None) -> web.StreamResponse:
    """The 404 is invented: no source shows what SW answers for a number that it does not have."""
    if info is None:
        return envelopes.error(404, envelopes.CERTIFICATES, envelopes.NOT_FOUND)
    return envelopes.success(info)
