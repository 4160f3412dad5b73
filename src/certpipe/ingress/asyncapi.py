"""AsyncAPI 3.0 with the AMQP 0-9-1 binding: what producers publish and are answered, and what subscribers are told."""

import json
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel

from certpipe.ingress.examples import EXAMPLES
from certpipe.ingress.openapi import component_schemas
from schemas.event_examples import example
from schemas.events import CATALOGUE, Event, EventType
from schemas.upload import ClearBundle, UploadMessage, UploadReply

# The names of the broker's topology; a test holds the two together.
EXCHANGE, QUEUE, ROUTING_KEY = "certpipe.uploads", "certpipe.uploads.v1", "upload"
EVENTS, EVENTS_KEY = "certpipe.events", "{organization}.{type}"
BINDING = "0.3.0"


def asyncapi_document() -> dict[str, Any]:
    """The whole document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "certpipe by AMQP",
            "version": version("certpipe"),
            "description": (
                "Publish uploads to the exchange `certpipe.uploads`, persistent, with your broker user as `user_id`, "
                "which the broker checks and which says whose the upload is. Seal the bundle to a key of "
                "`GET /v1/sealing-keys`. The same `upload_id` with the same content again is the same upload. "
                "Name a queue in `reply_to` to be told whether it was accepted, and say `follow` to be told there of "
                "all that becomes of it. Bind a queue to the exchange `certpipe.events` to be told of every upload of "
                "an organization. Events come at least once: skip those whose `message_id` you have seen."
            ),
        },
        "defaultContentType": "application/json",
        "channels": {"uploads": _uploads(), "replies": _replies(), "certpipe.events": _events()},
        "operations": {"takeUpload": _take(), "tellFollower": _tell("replies"), "tellSubscribers": _tell(EVENTS)},
        "components": {
            "messages": {
                "upload": _message("upload", UploadMessage),
                "reply": _message("reply", UploadReply),
                **{event: _told(event) for event in EventType},
            },
            "schemas": component_schemas([UploadMessage, UploadReply, ClearBundle, Event]),
            "correlationIds": {"own": {"location": "$message.header#/correlation_id"}},
        },
    }


def _uploads() -> dict[str, Any]:
    exchange = {"name": EXCHANGE, "type": "direct", "durable": True, "autoDelete": False, "vhost": "/"}
    return {
        "address": ROUTING_KEY,
        "description": f"The exchange; its queue is `{QUEUE}`.",
        "messages": {"upload": {"$ref": "#/components/messages/upload"}},
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": BINDING}},
    }


def _replies() -> dict[str, Any]:
    return {
        "address": None,
        "description": (
            "The producer's own queue, named in `reply_to`; names that begin with `certpipe.` get nothing. The answer, "
            "and after an upload with `follow: true` each event of it, with the same `correlation_id`."
        ),
        "messages": _named("reply", *(event for event in EventType if _may_follow(event))),
    }


def _events() -> dict[str, Any]:
    exchange = {"name": EVENTS, "type": "topic", "durable": True, "autoDelete": False, "vhost": "/"}
    return {
        "address": EVENTS_KEY,
        "description": "Bind a queue of your own, with a key like `<organization>.#` or `<organization>.upload.*`.",
        "parameters": {
            "organization": {"description": "The id of the organization that the event belongs to"},
            "type": {"description": "The type of the event, dots included", "enum": [*EventType]},
        },
        "messages": _named(*EventType),
        "bindings": {"amqp": {"is": "routingKey", "exchange": exchange, "bindingVersion": BINDING}},
    }


def _take() -> dict[str, Any]:
    return {
        "action": "receive",
        "summary": "Take an upload in, and answer when it is committed or refused",
        "channel": {"$ref": "#/channels/uploads"},
        "bindings": {"amqp": {"ack": True, "deliveryMode": 2, "bindingVersion": BINDING}},
        "reply": {
            "address": {"location": "$message.header#/reply_to"},
            "channel": {"$ref": "#/channels/replies"},
            "messages": [{"$ref": "#/channels/replies/messages/reply"}],
        },
    }


def _tell(channel: str) -> dict[str, Any]:
    """How events go out by a channel: at least once."""
    types = [event for event in EventType if channel == EVENTS or _may_follow(event)]
    return {
        "action": "send",
        "summary": "Tell of an event, persistent and at least once",
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{event}"} for event in types],
        "bindings": {"amqp": {"deliveryMode": 2, "mandatory": False, "bindingVersion": BINDING}},
    }


def _may_follow(event: EventType) -> bool:
    """Whether it is told of an upload, after it was received."""
    return not event.startswith("endpoint.")


def _named(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in names}


def _told(event: EventType) -> dict[str, Any]:
    """One type of event. Its `message_id` is the event's `id`."""
    known = {"type": "object", "properties": {"type": {"const": event}}}
    return {
        "name": event,
        "summary": CATALOGUE[event].when,
        "description": "The AMQP property `message_id` is the event's `id`.",
        "contentType": "application/json",
        "payload": {"allOf": [{"$ref": "#/components/schemas/Event"}, known]},
        "examples": [{"name": event, "payload": json.loads(example(event).body())}],
    }


def _message(name: str, model: type[BaseModel]) -> dict[str, Any]:
    return {
        "name": name,
        "contentType": "application/json",
        "correlationId": {"$ref": "#/components/correlationIds/own"},
        "payload": {"$ref": f"#/components/schemas/{model.__name__}"},
        "bindings": {"amqp": {"messageType": name, "bindingVersion": BINDING}},
        "examples": [{"name": name, "payload": EXAMPLES[model].model_dump(mode="json", exclude_none=True)}],
    }
