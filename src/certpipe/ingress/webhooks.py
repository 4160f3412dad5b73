"""`/v1/webhooks`: endpoints. Owners and admins manage them; members see them.

A secret is shown once, and the value of a header never.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from aiohttp import web

from certpipe.core.ids import uuid7
from certpipe.core.ports.webhooks import AddressTakenError, EndpointChange, NewEndpoint, NewKeys
from certpipe.ingress.answers import answer
from certpipe.ingress.call import Call
from certpipe.ingress.endpoint_rules import HEADERS_ANEW, NO_ENDPOINT, exists, header_faults, place_of
from certpipe.ingress.keys import BODIES, WEBHOOKS
from certpipe.ingress.parties import MANAGERS
from certpipe.ingress.problems import FORBIDDEN, NO_ORGANIZATION
from certpipe.ingress.refusal import RefusedError
from schemas.webhooks import RotateBody, WebhookBody, WebhookChange, WebhookCreated, WebhookList, WebhookView

# Twenty headers of the greatest length, with room for how JSON may be written.
MOST_BYTES = 64 * 1024
_MANAGERS_ONLY = replace(FORBIDDEN, hint="Only owners and admins of the organization manage its webhooks")


async def create(call: Call) -> web.StreamResponse:
    """Make one, and show its secret."""
    body = await call.of(BODIES).read_model(call.request, WebhookBody, most=MOST_BYTES)
    role = (await call.roles()).get(body.organization_id)
    if role is None:
        raise RefusedError(NO_ORGANIZATION)
    if role not in MANAGERS:
        raise RefusedError(_MANAGERS_ONLY)
    webhooks, endpoint_id = call.of(WEBHOOKS), uuid7()
    await _check(call, url=body.url, headers=body.headers)
    keys = webhooks.sealer.new_keys(endpoint_id)
    endpoint = NewEndpoint(
        id=endpoint_id,
        organization_id=body.organization_id,
        url=body.url,
        types=body.types,
        description=body.description,
        keys=keys,
        header_names=tuple(body.headers),
        headers=webhooks.sealer.seal_headers(endpoint_id, body.headers),
    )
    try:
        view = await webhooks.endpoints.create(endpoint, now=webhooks.clock.now())
    except AddressTakenError as taken:
        raise exists(taken.other) from None
    return answer(_with_secret(view, keys), status=201, headers={"Location": place_of(view)})


async def index(call: Call) -> web.StreamResponse:
    """All of the sender's organizations, or those of one."""
    roles, only = await call.roles(), call.query_id("organization_id")
    if only is not None and only not in roles:
        raise RefusedError(NO_ORGANIZATION)
    return answer(WebhookList(items=tuple(await call.of(WEBHOOKS).endpoints.endpoints([only] if only else [*roles]))))


async def show(call: Call) -> web.StreamResponse:
    """One of the sender's organizations'."""
    return answer(await readable(call))


async def change(call: Call) -> web.StreamResponse:
    """Change what was sent, and nothing else."""
    view, webhooks = await managed(call), call.of(WEBHOOKS)
    body = await call.of(BODIES).read_model(call.request, WebhookChange, most=MOST_BYTES)
    if body.url not in {None, view.url} and view.headers and body.headers is None:
        raise RefusedError(HEADERS_ANEW)
    await _check(call, url=body.url, headers=body.headers or {})
    headers = None if body.headers is None else webhooks.sealer.seal_headers(view.id, body.headers)
    changed = EndpointChange(
        url=body.url,
        types=(body.types,) if "types" in body.model_fields_set else None,
        description=body.description,
        headers=None if headers is None else (tuple(body.headers or ()), headers),
        enabled=body.enabled,
    )
    if changed == EndpointChange():
        return answer(view)
    try:
        return answer(_there(await webhooks.endpoints.change(view.id, changed, now=webhooks.clock.now())))
    except AddressTakenError as taken:
        raise exists(taken.other) from None


async def remove(call: Call) -> web.StreamResponse:
    """Nothing is sent to it any more."""
    view, webhooks = await managed(call), call.of(WEBHOOKS)
    if not await webhooks.endpoints.remove(view.id, now=webhooks.clock.now()):
        raise RefusedError(NO_ENDPOINT)
    return web.Response(status=204)


async def rotate(call: Call) -> web.StreamResponse:
    """Make new keys, and show the secret; deliveries are signed with both for a while."""
    view, webhooks = await managed(call), call.of(WEBHOOKS)
    body = RotateBody()
    if call.request.body_exists:
        body = await call.of(BODIES).read_model(call.request, RotateBody)
    keys, now = webhooks.sealer.new_keys(view.id), webhooks.clock.now()
    until = now + timedelta(hours=body.overlap_hours)
    rotated = _there(await webhooks.endpoints.rotate(view.id, keys, now=now, previous_until=until))
    return answer(_with_secret(rotated, keys))


async def revoke(call: Call) -> web.StreamResponse:
    """Sign with the new secret alone, from now on."""
    view, webhooks = await managed(call), call.of(WEBHOOKS)
    return answer(_there(await webhooks.endpoints.revoke(view.id, now=webhooks.clock.now())))


async def readable(call: Call) -> WebhookView:
    """The endpoint in the path; one of another organization is as unknown as a random id."""
    return _there(await call.of(WEBHOOKS).endpoints.get(call.path_id(), await call.organizations()))


async def managed(call: Call) -> WebhookView:
    """The same, for whoever may change it."""
    view = await readable(call)
    if (await call.roles()).get(view.organization_id) not in MANAGERS:
        raise RefusedError(_MANAGERS_ONLY)
    return view


async def _check(call: Call, *, url: str | None, headers: Mapping[str, str]) -> None:
    """Every fault of the headers and of the address at once."""
    faults = header_faults(headers)
    refusal = None if url is None else await call.of(WEBHOOKS).guard.refusal(url)
    if refusal is not None:
        faults.insert(0, refusal.about("url"))
    if faults:
        raise RefusedError(*faults)


def _there(view: WebhookView | None) -> WebhookView:
    if view is None:
        raise RefusedError(NO_ENDPOINT)
    return view


def _with_secret(view: WebhookView, keys: NewKeys) -> WebhookCreated:
    return WebhookCreated(**view.model_dump(), secret=keys.secret)
