"""The table of what HTTP offers on webhook endpoints."""

from typing import Final

from certpipe.ingress import deliveries, webhooks
from certpipe.ingress.parameters import BODY, LIMIT, ORGANIZATION
from certpipe.ingress.route import Answer, Parameter, Route
from schemas.webhooks import (
    MOST_PLACE,
    DeliveryPage,
    DeliveryState,
    DeliveryView,
    PingView,
    ReplayBody,
    ReplayView,
    RotateBody,
    WebhookBody,
    WebhookChange,
    WebhookCreated,
    WebhookList,
    WebhookView,
)

STATE = Parameter("state", "Only deliveries in this state", {"type": "string", "enum": [*DeliveryState]})
EVENT_ID = Parameter(
    "event_id", "Only deliveries of this event", {"type": "string", "pattern": f"^{deliveries.EVENT_ID_PATTERN}$"}
)
CURSOR = Parameter("cursor", "`next` of the page before", {"type": "integer", "minimum": 1, "maximum": MOST_PLACE})
MANAGED: Final = (403, 404)

WEBHOOK_ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/v1/webhooks",
        webhooks.create,
        "Create a webhook endpoint (owners and admins)",
        answers=(Answer(201, "Created. Its secret is shown here, and never again", WebhookCreated, ("Location",)),),
        refusals=(*BODY, *MANAGED, 409, 422),
        body=WebhookBody,
    ),
    Route(
        "GET",
        "/v1/webhooks",
        webhooks.index,
        "List the webhook endpoints of the sender's organizations",
        answers=(Answer(200, "All of them", WebhookList),),
        refusals=(400, 404),
        parameters=(ORGANIZATION,),
    ),
    Route(
        "GET",
        "/v1/webhooks/{id}",
        webhooks.show,
        "Show a webhook endpoint",
        answers=(Answer(200, "The endpoint, without secrets", WebhookView),),
        refusals=(404,),
    ),
    Route(
        "PATCH",
        "/v1/webhooks/{id}",
        webhooks.change,
        "Change a webhook endpoint (owners and admins)",
        answers=(Answer(200, "Changed", WebhookView),),
        refusals=(*BODY, *MANAGED, 409, 422),
        body=WebhookChange,
    ),
    Route(
        "DELETE",
        "/v1/webhooks/{id}",
        webhooks.remove,
        "Remove a webhook endpoint (owners and admins)",
        answers=(Answer(204, "Nothing is sent to it any more"),),
        refusals=MANAGED,
    ),
    Route(
        "POST",
        "/v1/webhooks/{id}/rotate",
        webhooks.rotate,
        "Give a webhook endpoint a new secret (owners and admins)",
        answers=(
            Answer(200, "The new secret; deliveries are signed with the old one too for a while", WebhookCreated),
        ),
        refusals=(*BODY, *MANAGED, 409),
        body=RotateBody,
        body_optional=True,
    ),
    Route(
        "POST",
        "/v1/webhooks/{id}/revoke",
        webhooks.revoke,
        "Stop signing with the secret before (owners and admins)",
        answers=(Answer(200, "Deliveries are signed with the present secret alone", WebhookView),),
        refusals=MANAGED,
    ),
    Route(
        "POST",
        "/v1/webhooks/{id}/ping",
        deliveries.ping,
        "Send a test event to a webhook endpoint (owners and admins)",
        answers=(Answer(202, "It will be sent; the log tells what came of it", PingView),),
        refusals=(*MANAGED, 409),
    ),
    Route(
        "GET",
        "/v1/webhooks/{id}/deliveries",
        deliveries.index,
        "List what was sent to a webhook endpoint, newest first",
        answers=(Answer(200, "One page", DeliveryPage),),
        refusals=(400, 404),
        parameters=(STATE, EVENT_ID, CURSOR, LIMIT),
    ),
    Route(
        "POST",
        "/v1/webhooks/{id}/deliveries/{delivery}/replay",
        deliveries.replay,
        "Send one event again (owners and admins)",
        answers=(Answer(202, "It will be sent, with a whole new schedule", DeliveryView),),
        refusals=MANAGED,
    ),
    Route(
        "POST",
        "/v1/webhooks/{id}/replay",
        deliveries.replay_many,
        "Send again what failed, or what happened in a time (owners and admins)",
        answers=(Answer(202, "They will be sent; a disabled endpoint gets them once it is enabled", ReplayView),),
        refusals=(*BODY, *MANAGED, 422),
        body=ReplayBody,
    ),
)
