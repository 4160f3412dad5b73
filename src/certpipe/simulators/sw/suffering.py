"""What a fault does to one request."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from certpipe.core.clock import Clock
from certpipe.simulators.sw import envelopes
from certpipe.simulators.sw.faults import FaultKind, Rule

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

PAGE = "<!DOCTYPE html><html><head><title>503</title></head><body><h1>[inventado] Mantenimiento</h1></body></html>"
USUAL_STATUS = 503
FOR_EVER = 86_400.0


async def suffer(
    rule: Rule, request: web.Request, handler: Handler, *, clock: Clock, stopping: asyncio.Event
) -> web.StreamResponse:
    """Serve the request, or not, as the rule says."""
    match rule.kind:
        case FaultKind.DELAY:
            await clock.wait(rule.seconds or 0.0, until=stopping)
            return await handler(request)
        case FaultKind.CUT_AFTER_STORING | FaultKind.MALFORMED:
            await handler(request)
        case _:
            await request.read()
    if rule.kind is FaultKind.HANG:
        await clock.wait(FOR_EVER if rule.seconds is None else rule.seconds, until=stopping)
    return _answer(rule, request)


def _answer(rule: Rule, request: web.Request) -> web.StreamResponse:
    match rule.kind:
        case FaultKind.STATUS:
            return _with_status(rule)
        case FaultKind.HTML:
            return web.Response(status=rule.status or USUAL_STATUS, text=PAGE, content_type="text/html")
        case FaultKind.WRONG_TOKEN:
            return envelopes.error(401, envelopes.NOT_AUTHORIZED)
        case FaultKind.MALFORMED:
            return web.Response(status=200, body=b'{"status":"succ', content_type="application/json")
        case _:
            return _cut(request)


def _with_status(rule: Rule) -> web.Response:
    status = rule.status or USUAL_STATUS
    headers = {} if rule.retry_after is None else {"Retry-After": str(rule.retry_after)}
    if status in range(300, 400):
        headers["Location"] = "/_elsewhere"
    return envelopes.error(status, envelopes.FAULT, **headers)


def _cut(request: web.Request) -> web.StreamResponse:
    """Close the connection at once; the response that is returned finds nobody to go to."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
