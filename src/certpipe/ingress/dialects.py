"""One handler for all dialects: a request becomes an upload like any other, and its end the vendor's answer."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from certpipe.core.ports.dialect import (
    Action,
    Asked,
    Denial,
    Denied,
    DialectRoute,
    Outcome,
    Removed,
    Reply,
    Request,
    Shown,
    StillGoing,
)
from certpipe.core.ports.directory import Party, PartyKind
from certpipe.core.ports.doors import Accepted
from certpipe.core.problems import Problem
from certpipe.ingress.auth import Authenticator
from certpipe.ingress.call import Call
from certpipe.ingress.denials import DeniedError, outcome_of
from certpipe.ingress.ends import arrival, end, reached
from certpipe.ingress.guard import REQUEST_ID
from certpipe.ingress.keys import BODIES, DIRECTORY, REMOVALS, SERVICE, STATUSES, WAITING
from certpipe.ingress.mounting import UNTIL, Mounted
from certpipe.ingress.prefer import Preference
from certpipe.ingress.refusal import RefusedError
from certpipe.ingress.submission import Submission, bundle_of, parse_uuid
from schemas.status import UploadStatus

RETRY_AFTER = 1
NOTHING_STORED = Problem(
    "nothing_stored", "No hay ningún certificado guardado", "There is no stored certificate", status=400
)


@dataclass(frozen=True, slots=True)
class DialectHandler:
    """One route of one dialect. Every answer is the dialect's, whatever happens."""

    mounted: Mounted
    route: DialectRoute
    authenticator: Authenticator

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The handler for the router."""
        quoted = Request(request[REQUEST_ID], self.mounted.clock.now(), request.method, request.rel_url.raw_path)
        headers: Mapping[str, str] = {}
        try:
            outcome = await self._outcome(request)
        except Exception as error:  # noqa: BLE001 - the edge: nothing that is unknown may get out
            outcome = outcome_of(error, request[REQUEST_ID])
            headers = error.headers if isinstance(error, RefusedError) else headers
        reply = self.mounted.dialect.render(outcome, quoted)
        return _response(reply, {**headers, **self._headers(outcome, request)})

    async def _outcome(self, request: web.Request) -> Outcome:
        principal = await self.authenticator.authenticate(request.headers.getall("Authorization", []))
        call = Call(request, principal)
        asked = self.mounted.dialect.asked(_lowered(request), self.route.action)
        party = await self._party(call, asked)
        match self.route.action:
            case Action.UPLOAD:
                return await self._upload(call, asked, party)
            case Action.SHOW:
                return await self._show(call, party)
            case Action.REMOVE:
                removed = await call.of(REMOVALS).remove(party.id, self.mounted.dialect.kind)
                return NOTHING if removed is None else Removed(removed)

    async def _party(self, call: Call, asked: Asked) -> Party:
        """The party of the path, if the sender may do this with it. Another's is as unknown as a random id."""
        dialect, roles = self.mounted.dialect, await call.roles()
        if asked.organization_id is not None and asked.organization_id not in roles:
            raise DeniedError(Denial.FORBIDDEN)
        party_id = parse_uuid(call.request.match_info["id"])
        party = None if party_id is None else await call.of(DIRECTORY).party(party_id)
        role = None if party is None else roles.get(party.organization_id)
        if party is None or role is None or party.kind not in dialect.parties:
            raise DeniedError(Denial.NOT_FOUND)
        if asked.organization_id not in {None, party.organization_id}:
            raise DeniedError(Denial.NOT_FOUND)
        if self.route.action is not Action.SHOW and role not in dialect.roles:
            raise DeniedError(Denial.FORBIDDEN)
        return party

    async def _upload(self, call: Call, asked: Asked, party: Party) -> Outcome:
        preference = self._preference(call.request)
        upload_id = (await self._take_in(call, asked, party)).ref.id
        later = StillGoing(upload_id, f"/v1/uploads/{upload_id}", RETRY_AFTER)
        seconds = self.mounted.seconds if preference.wait is None else min(preference.wait, self.mounted.seconds)
        if seconds <= 0 or (preference.respond_async and preference.wait is None):
            return later
        until = UNTIL[self.mounted.until]
        await call.of(WAITING).wait(upload_id, after=None, until=until, seconds=seconds, gone=call.gone)
        status = await call.of(STATUSES).upload(upload_id, (party.organization_id,))
        return later if status is None else await self._told(call, status) or later

    async def _told(self, call: Call, status: UploadStatus) -> Outcome | None:
        """None while there is nothing to tell yet."""
        if reached(status, self.mounted.until):
            certificate = None
            if status.certificate_id is not None:
                certificate = await call.of(STATUSES).certificate(status.certificate_id, (status.organization_id,))
            return arrival(status, certificate)
        return end(status, self.mounted.fields) if status.ended else None

    async def _take_in(self, call: Call, asked: Asked, party: Party) -> Accepted:
        """Apart, so that nothing holds the bundle any more while the client waits."""
        form = await call.of(BODIES).read(call.request, self.mounted.fields)
        dialect = self.mounted.dialect
        rfc = None
        if dialect.organization_rfc and (owner := await call.of(DIRECTORY).organization(party.organization_id)):
            rfc = owner.rfc
        return await call.of(SERVICE).submit(
            Submission(bundle_of(form), party.id, dialect.kind, rfc),
            subject=call.principal.subject,
            door=dialect.name,
            key=asked.idempotency_key,
            awaited=party.kind is PartyKind.ENTRY,
        )

    async def _show(self, call: Call, party: Party) -> Outcome:
        found = await call.of(STATUSES).active_certificate(
            party.id, self.mounted.dialect.kind, (party.organization_id,)
        )
        return NOTHING if found is None else Shown(found)

    def _preference(self, request: web.Request) -> Preference:
        return Preference.of(request.headers.getall("Prefer", ()), math.ceil(self.mounted.seconds))

    def _headers(self, outcome: Outcome, request: web.Request) -> Mapping[str, str]:
        """What an answer carries in any dialect."""
        match outcome:
            case Denied(headers=headers):
                return headers
            case StillGoing(location=location, retry_after=seconds):
                return {"Location": location, "Retry-After": str(seconds), **self._preference(request).applied}
            case _:
                return {}


NOTHING = Denied(Denial.NOTHING_STORED, (NOTHING_STORED,))


def _lowered(request: web.Request) -> Mapping[str, str]:
    """The headers by their names in lower case; one that came more than once is a list (RFC 9110, 5.3)."""
    return {name.lower(): ", ".join(request.headers.getall(name)) for name in request.headers}


def _response(reply: Reply, headers: Mapping[str, str]) -> web.Response:
    """To the byte; a reply's own headers count first."""
    missing = {
        name: value for name, value in headers.items() if name.lower() not in {own.lower() for own in reply.headers}
    }
    response = web.Response(status=reply.status, body=reply.body or None, headers={**reply.headers, **missing})
    if reply.body:
        response.headers["Content-Type"] = reply.content_type
    return response
