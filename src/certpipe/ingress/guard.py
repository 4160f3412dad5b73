"""Around every handler: whatever happens, the client gets a problem and never a traceback."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from aiohttp import web
from aiohttp.typedefs import Handler

from certpipe.core.errors import CertpipeError, Unavailable, place
from certpipe.core.ids import uuid7
from certpipe.core.ports.doors import IdempotencyConflictError, IdempotencyInFlightError
from certpipe.core.problems import INTERNAL
from certpipe.ingress.answers import problem_answer, retry_after
from certpipe.ingress.auth import Authenticator, Principal, UnauthenticatedError
from certpipe.ingress.call import NOBODY, Call
from certpipe.ingress.form import echo
from certpipe.ingress.keys import STREAMS
from certpipe.ingress.problems import (
    IDEMPOTENCY_CONFLICT,
    IDEMPOTENCY_IN_FLIGHT,
    INVALID_PARAMETER,
    OF_AIOHTTP,
    UNAUTHORIZED,
    UNKNOWN_PARAMETER,
)
from certpipe.ingress.refusal import RefusedError
from certpipe.ingress.route import TICKET, Route

LOG = logging.getLogger(__name__)
REQUEST_ID = web.RequestKey("request_id", str)
SECURITY_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
        "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
        "X-Content-Type-Options": "nosniff",
    }
)
NO_TICKET = replace(UNAUTHORIZED, hint="A ticket is good once, within 30 seconds: POST /v1/events/ticket gives another")


class NoTicketError(UnauthenticatedError):
    """What was shown in place of a token is no ticket, or not one any more."""


async def finish_headers(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Every answer carries these, whoever made it."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "certpipe"
    if REQUEST_ID in request:
        response.headers["X-Request-Id"] = request[REQUEST_ID]


@web.middleware
async def tell_problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The edge: errors become problem documents, in one place."""
    request[REQUEST_ID] = str(uuid7())
    try:
        return await handler(request)
    except asyncio.CancelledError:
        raise
    except web.HTTPException as error:
        return _of_aiohttp(request, error)
    except Exception as error:  # noqa: BLE001 - the edge: nothing that is unknown may get out
        return _refusal(request, error)


def _refusal(request: web.Request, error: Exception) -> web.StreamResponse:
    instance = f"urn:uuid:{request[REQUEST_ID]}"
    match error:
        case RefusedError():
            return problem_answer(error.problems, headers=error.headers, instance=instance)
        case Unavailable():
            return problem_answer(error.problems, status=503, headers=retry_after(error.retry_after), instance=instance)
        case CertpipeError():
            return problem_answer(error.problems, instance=instance)
        case IdempotencyConflictError():
            return problem_answer([IDEMPOTENCY_CONFLICT], instance=instance)
        case IdempotencyInFlightError():
            return problem_answer([IDEMPOTENCY_IN_FLIGHT], headers=retry_after(1), instance=instance)
        case _:
            LOG.error("request %s: %s", request[REQUEST_ID], place(error))
            return problem_answer([INTERNAL], instance=instance)


def _of_aiohttp(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {}
    if request.method == "OPTIONS" and headers:
        return web.Response(status=204, headers=headers)
    problem = OF_AIOHTTP.get(error.status)
    if problem is None:
        LOG.error("request %s: %s", request[REQUEST_ID], place(error))
        problem = INTERNAL
    return problem_answer([problem], headers=headers, instance=f"urn:uuid:{request[REQUEST_ID]}")


def guarded(route: Route, authenticator: Authenticator) -> Handler:
    """The handler of a route behind its guards: a proved sender first, then a query that means something."""

    async def handle(request: web.Request) -> web.StreamResponse:
        principal = NOBODY
        if not route.public:
            try:
                principal = await _sender(request, route, authenticator)
            except UnauthenticatedError as error:
                LOG.info("request %s: %s", request[REQUEST_ID], error)
                problem = NO_TICKET if isinstance(error, NoTicketError) else UNAUTHORIZED
                raise RefusedError(problem, headers={"WWW-Authenticate": 'Bearer realm="certpipe"'}) from None
        _check_query(request, route)
        return await route.handler(Call(request, principal))

    return handle


async def _sender(request: web.Request, route: Route, authenticator: Authenticator) -> Principal:
    """By the header, or where there is none and the route allows it, by a ticket."""
    authorizations = request.headers.getall("Authorization", [])
    tickets = request.query.getall(TICKET, []) if route.ticketed and not authorizations else []
    if not tickets:
        return await authenticator.authenticate(authorizations)
    subject = await request.app[STREAMS].tickets.take(tickets[0]) if len(tickets) == 1 else None
    if subject is None:
        raise NoTicketError("no ticket that is good still")
    return Principal(subject, operator=False)


def _check_query(request: web.Request, route: Route) -> None:
    problems = []
    for name in dict.fromkeys(request.query):
        if name not in route.queries:
            known = f"Known here: {', '.join(sorted(route.queries)) or 'none'}"
            problems.append(replace(UNKNOWN_PARAMETER, field=echo(name), hint=known))
        elif len(request.query.getall(name)) > 1:
            problems.append(INVALID_PARAMETER.about(name))
    if problems:
        raise RefusedError(*problems)
