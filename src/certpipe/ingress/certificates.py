"""`/v1/certificates`: what is stored, never a key or a password."""

from aiohttp import web

from certpipe.core.problems import TARGET_NOT_FOUND
from certpipe.ingress.answers import answer
from certpipe.ingress.call import Call
from certpipe.ingress.keys import STATUSES
from certpipe.ingress.refusal import RefusedError
from certpipe.ingress.uploads import ITEMS, MOST_ITEMS


async def show(call: Call) -> web.StreamResponse:
    """One version."""
    certificate = await call.of(STATUSES).certificate(call.path_id(), await call.organizations())
    if certificate is None:
        raise RefusedError(TARGET_NOT_FOUND)
    return answer(certificate)


async def index(call: Call) -> web.StreamResponse:
    """Versions, newest first."""
    page = await call.of(STATUSES).certificates(
        await call.organizations(),
        party_id=await call.own_party("party_id"),
        cursor=call.query_id("cursor"),
        limit=call.query_number("limit", least=1, most=MOST_ITEMS) or ITEMS,
    )
    return answer(page)
