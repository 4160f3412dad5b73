"""`/v1/parties`: whom certificates belong to. Owners and admins manage them; members see them."""

from collections.abc import Sequence
from dataclasses import replace

from aiohttp import web

from certpipe.core.ports.directory import Party, PartyKind, Role
from certpipe.core.problems import TARGET_NOT_FOUND
from certpipe.ingress.answers import answer
from certpipe.ingress.call import Call
from certpipe.ingress.keys import BODIES, DIRECTORY
from certpipe.ingress.problems import FORBIDDEN, INVALID_RFC, NO_ENTRY, NO_ORGANIZATION
from certpipe.ingress.refusal import RefusedError
from certpipe.sat.rfc import is_rfc
from schemas.directory import EntryState, PartyBody, PartyList, PartyView

_MANAGERS_ONLY = "Only owners and admins of the organization manage its parties"
MANAGERS = frozenset({Role.OWNER, Role.ADMIN})


async def put(call: Call) -> web.StreamResponse:
    """Create it or change it, in an organization that the sender manages."""
    party_id = call.path_id()
    body = await call.of(BODIES).read_model(call.request, PartyBody)
    role = (await call.roles()).get(body.organization_id)
    if role is None:
        raise RefusedError(NO_ORGANIZATION)
    if role not in MANAGERS:
        raise RefusedError(replace(FORBIDDEN, hint=_MANAGERS_ONLY))
    if not is_rfc(body.rfc):
        raise RefusedError(INVALID_RFC)
    party = Party(party_id, body.organization_id, body.kind, body.rfc, body.name)
    created = await call.of(DIRECTORY).put_party(party)
    return answer((await _views(call, [party]))[0], status=201 if created else 200)


async def void(call: Call) -> web.StreamResponse:
    """Let an entry wait for nothing any more. What is stored stays."""
    party = await call.of(DIRECTORY).party(call.path_id())
    role = None if party is None else (await call.roles()).get(party.organization_id)
    if party is None or role is None:
        raise RefusedError(TARGET_NOT_FOUND)
    if role not in MANAGERS:
        raise RefusedError(replace(FORBIDDEN, hint=_MANAGERS_ONLY))
    if not await call.of(DIRECTORY).void_party(party.id):
        raise RefusedError(NO_ENTRY)
    return answer((await _views(call, [party]))[0])


async def show(call: Call) -> web.StreamResponse:
    """One of the sender's organizations'."""
    party = await call.of(DIRECTORY).party(call.path_id())
    if party is None or party.organization_id not in await call.roles():
        raise RefusedError(TARGET_NOT_FOUND)
    return answer((await _views(call, [party]))[0])


async def index(call: Call) -> web.StreamResponse:
    """All of them, or those of one organization."""
    roles, only = await call.roles(), call.query_id("organization_id")
    if only is not None and only not in roles:
        raise RefusedError(NO_ORGANIZATION)
    parties = await call.of(DIRECTORY).parties([only] if only else list(roles))
    return answer(PartyList(items=tuple(await _views(call, parties))))


async def _views(call: Call, parties: Sequence[Party]) -> Sequence[PartyView]:
    entries = [party.id for party in parties if party.kind is PartyKind.ENTRY]
    states = await call.of(DIRECTORY).entry_states(entries) if entries else {}
    return [_view(party, states.get(party.id)) for party in parties]


def _view(party: Party, state: EntryState | None) -> PartyView:
    return PartyView(
        id=party.id,
        organization_id=party.organization_id,
        kind=party.kind,
        rfc=party.rfc,
        name=party.name,
        state=state,
    )
