"""The table of what HTTP offers on events."""

from typing import Final

from certpipe.ingress import events
from certpipe.ingress.parameters import ORGANIZATION
from certpipe.ingress.route import Answer, Parameter, Route
from certpipe.ingress.streams import MOST_SECONDS
from schemas.events import Event, EventType
from schemas.webhooks import TicketView

LAST_EVENT_ID = Parameter(
    "Last-Event-ID",
    "The `id` of the last event that the client has: it is told everything since. An EventSource sends it by itself",
    {"type": "string", "pattern": f"^[0-9]{{0,{events.MOST_DIGITS}}}$"},
    where="header",
)
LAST_EVENT_ID_BY_QUERY = Parameter(
    events.LAST_EVENT_ID,
    "The same for who can send no header, such as a new EventSource with a ticket. The header wins",
    {"type": "string", "pattern": f"^[0-9]{{0,{events.MOST_DIGITS}}}$"},
)
SECONDS = Parameter(
    "seconds",
    "End the stream after so many seconds, for clients that cannot listen without an end",
    {"type": "integer", "minimum": 1, "maximum": MOST_SECONDS, "default": MOST_SECONDS},
)
TYPES = Parameter(
    "types",
    f"Only these events, separated by commas, of: {', '.join(EventType)}",
    {"type": "string", "pattern": f"^({'|'.join(EventType)})(,({'|'.join(EventType)}))*$".replace(".", "\\.")},
)
STREAM: Final = "Server-sent events: `event` is the type, `data` the event as webhooks carry it"
BEGINNING: Final = "From now on, or from `Last-Event-ID`. It begins with the `id` that it goes on from"

EVENT_ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        "/v1/events",
        events.of_organizations,
        "Listen to the events of the sender's organizations",
        answers=(Answer(200, f"{STREAM}. {BEGINNING}", Event, streamed=True),),
        refusals=(400, 404),
        parameters=(ORGANIZATION, TYPES, SECONDS, LAST_EVENT_ID, LAST_EVENT_ID_BY_QUERY),
        ticketed=True,
    ),
    Route(
        "GET",
        "/v1/uploads/{id}/events",
        events.of_upload,
        "Listen to the events of an upload, from its beginning to its end",
        answers=(
            Answer(200, f"{STREAM}. It ends when the upload does", Event, streamed=True),
            Answer(204, "The upload has ended, and the client has all of it: an EventSource comes no more"),
        ),
        refusals=(400, 404),
        parameters=(SECONDS, LAST_EVENT_ID, LAST_EVENT_ID_BY_QUERY),
        ticketed=True,
    ),
    Route(
        "POST",
        "/v1/events/ticket",
        events.issue_ticket,
        "Get a ticket for one stream: good once, for 30 seconds, in the query in place of the token",
        answers=(Answer(201, "The ticket", TicketView),),
    ),
)
