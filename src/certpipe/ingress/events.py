"""`/v1/events` and `/v1/uploads/{id}/events`: server-sent events, and tickets for clients that can send no header."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType

from aiohttp import web

from certpipe.core.errors import Unavailable, place
from certpipe.core.problems import TARGET_NOT_FOUND
from certpipe.ingress.answers import answer
from certpipe.ingress.call import Call
from certpipe.ingress.keys import STATUSES, STREAMS
from certpipe.ingress.line import HttpLine
from certpipe.ingress.listening import Frame, Listener, Page, Wanted
from certpipe.ingress.problems import INVALID_HEADER, INVALID_PARAMETER, NO_ORGANIZATION
from certpipe.ingress.refusal import RefusedError
from certpipe.ingress.streams import MOST_SECONDS
from schemas.events import EventType

LOG = logging.getLogger(__name__)
HEADERS: Mapping[str, str] = MappingProxyType(
    {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
)
RETRY = b"retry: 2000\n"
MOST_DIGITS = 18
LAST_EVENT_ID = "last_event_id"
_BEGINNING = -1
_NO_ID = f"A whole number of {MOST_DIGITS} digits at the most: the `id` of the last event that came"


async def issue_ticket(call: Call) -> web.StreamResponse:
    """A ticket for one stream."""
    return answer(await call.of(STREAMS).tickets.issue(call.principal.subject), status=201)


async def of_upload(call: Call) -> web.StreamResponse:
    """All events of one upload, until it ends; 204 once there is nothing left to tell: an EventSource gives up then."""
    upload_id, seen = call.path_id(), _last_event_id(call)
    status = await call.of(STATUSES).upload(upload_id, await call.organizations())
    if status is None:
        raise RefusedError(TARGET_NOT_FOUND)
    wanted = Wanted(frozenset({upload_id}), of_upload=True)
    after = _BEGINNING if seen is None else min(seen, status.sequence)
    if status.ended:
        batch = Page(await call.of(STREAMS).feed.of_upload(upload_id, after)).batch(wanted, after)
        text = _opening() + batch.frame.text
        return web.Response(body=text, headers=HEADERS) if batch.numbers else web.Response(status=204)
    return await _stream(call, wanted, after)


async def of_organizations(call: Call) -> web.StreamResponse:
    """The events of the sender's organizations, from now on or from where the client was."""
    organizations, chosen = frozenset(await call.organizations()), call.query_id("organization_id")
    if chosen is not None and chosen not in organizations:
        raise RefusedError(NO_ORGANIZATION)
    wanted = Wanted(organizations if chosen is None else frozenset({chosen}), _types(call))
    seen, now = _last_event_id(call), await call.of(STREAMS).hub.start()
    if seen is not None and seen > now:  # told by another process that was ahead of us, or by nobody
        now = max(now, await call.of(STREAMS).feed.last())
    return await _stream(call, wanted, now if seen is None else min(seen, now))


async def _stream(call: Call, wanted: Wanted, after: int) -> web.StreamResponse:
    """Let the hub send them, on a connection that is no request's any more. The next one tells where to go on."""
    hub, seconds = call.of(STREAMS).hub, call.query_number("seconds", least=1, most=MOST_SECONDS)
    await hub.start()
    response = web.StreamResponse(headers=HEADERS)
    response.force_close()
    await response.prepare(call.request)
    if call.request.method == "HEAD":
        return response
    line = HttpLine.taken_from(call.request)
    listener = Listener(wanted, line, after, after)
    line.lost = partial(hub.leave, listener)
    listener.send(Frame.of(_opening(None if wanted.of_upload else after)))
    try:
        await hub.follow(listener)
        if seconds is not None:
            await hub.end_after(listener, seconds)
    except Unavailable:
        LOG.warning("the database is away; a client has to come again")
        hub.end(listener)
    except Exception as error:  # noqa: BLE001 - there is nobody any more whom it could be told
        LOG.error("a stream of events: %s", place(error))
        hub.cut(listener)
    return response


def _opening(place: int | None = None) -> bytes:
    """What every stream begins with. By `place`, a client that is cut before its first event knows where to go on."""
    return RETRY + (b"\n" if place is None else b"id: %d\n\n" % place)


def _last_event_id(call: Call) -> int | None:
    """The number of the last event that the client has.

    By the header, which is newer: an EventSource sends it when it comes back to the same address by itself.
    """
    texts = [text for text in call.request.headers.getall("Last-Event-ID", ()) if text]
    refusal = replace(INVALID_HEADER, field="Last-Event-ID", hint=_NO_ID)
    if not texts:
        texts = [text for text in (call.request.query.get(LAST_EVENT_ID),) if text]
        refusal = replace(INVALID_PARAMETER, field=LAST_EVENT_ID, hint=_NO_ID)
    if not texts:
        return None
    text = texts[0]
    if len(texts) > 1 or not (text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS):
        raise RefusedError(refusal)
    return int(text)


def _types(call: Call) -> frozenset[EventType] | None:
    text = call.request.query.get("types")
    if text is None:
        return None
    names = text.split(",")
    if not set(names) <= set(EventType):
        hint = f"With commas between: {', '.join(EventType)}"
        raise RefusedError(replace(INVALID_PARAMETER, field="types", hint=hint))
    return frozenset(map(EventType, names))
