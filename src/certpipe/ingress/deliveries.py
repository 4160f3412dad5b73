"""`/v1/webhooks/{id}/…`: tests of an endpoint, the log of what was sent to it, and sending again."""

import re
from dataclasses import replace

from aiohttp import web

from certpipe.ingress.answers import answer
from certpipe.ingress.call import Call
from certpipe.ingress.endpoint_rules import ENDPOINT_DISABLED, NO_ENDPOINT, replayed_time
from certpipe.ingress.keys import BODIES, WEBHOOKS
from certpipe.ingress.problems import INVALID_PARAMETER, NOT_FOUND
from certpipe.ingress.refusal import RefusedError
from certpipe.ingress.uploads import ITEMS, MOST_ITEMS
from certpipe.ingress.webhooks import managed, readable
from schemas.webhooks import MOST_PLACE, DeliveryState, PingView, ReplayBody, ReplayView

MOST_REPLAYED = 10_000
EVENT_ID_PATTERN = r"evt_[0-9a-f]{32}_(0|[1-9][0-9]{0,8})"
_EVENT_ID = re.compile(EVENT_ID_PATTERN)
_NUMBER = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_NO_NUMBER = replace(NOT_FOUND, hint="Deliveries are known by their numbers, as the log gives them")


async def ping(call: Call) -> web.StreamResponse:
    """Send a test event to this endpoint alone."""
    view, webhooks = await managed(call), call.of(WEBHOOKS)
    if not view.enabled:
        raise RefusedError(ENDPOINT_DISABLED)
    event_id = await webhooks.endpoints.ping(view.id, now=webhooks.clock.now())
    if event_id is None:
        raise RefusedError(NO_ENDPOINT)
    return answer(PingView(event_id=event_id), status=202)


async def index(call: Call) -> web.StreamResponse:
    """The log, newest first."""
    view = await readable(call)
    page = await call.of(WEBHOOKS).endpoints.deliveries(
        view.id,
        state=call.query_choice("state", DeliveryState),
        event_id=_event_id(call),
        cursor=call.query_number("cursor", least=1, most=MOST_PLACE),
        limit=call.query_number("limit", least=1, most=MOST_ITEMS) or ITEMS,
    )
    return answer(page)


async def replay(call: Call) -> web.StreamResponse:
    """Send one again."""
    view, webhooks, text = await managed(call), call.of(WEBHOOKS), call.request.match_info["delivery"]
    if not _NUMBER.fullmatch(text):
        raise RefusedError(_NO_NUMBER)
    delivery = await webhooks.endpoints.replay(view.id, int(text), now=webhooks.clock.now())
    if delivery is None:
        raise RefusedError(_NO_NUMBER)
    return answer(delivery, status=202)


async def replay_many(call: Call) -> web.StreamResponse:
    """Send many again: those that failed, or those of a time."""
    view, webhooks = await managed(call), call.of(WEBHOOKS)
    body = await call.of(BODIES).read_model(call.request, ReplayBody)
    now, endpoints = webhooks.clock.now(), webhooks.endpoints
    time = replayed_time(body, now)
    if time is None:
        replayed = await endpoints.replay_failed(view.id, after=body.after, limit=MOST_REPLAYED, now=now)
    else:
        since, until = time
        replayed = await endpoints.replay_range(
            view.id, since=since, until=until, after=body.after, limit=MOST_REPLAYED, now=now
        )
    return answer(ReplayView(replayed=replayed.count, next=replayed.next), status=202)


def _event_id(call: Call) -> str | None:
    text = call.request.query.get("event_id")
    if text is not None and not _EVENT_ID.fullmatch(text):
        hint = "The `id` of an event, as it stands in its body and in the header webhook-id"
        raise RefusedError(replace(INVALID_PARAMETER, field="event_id", hint=hint))
    return text
