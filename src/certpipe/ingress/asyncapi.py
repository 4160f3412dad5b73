"""AsyncAPI 3.0 with the AMQP 0-9-1 binding: what producers publish, and what they are answered."""

from importlib.metadata import version
from typing import Any

from pydantic import BaseModel

from certpipe.ingress.examples import EXAMPLES
from certpipe.ingress.openapi import component_schemas
from schemas.upload import ClearBundle, UploadMessage, UploadReply

# The names of the broker's topology; a test holds the two together.
EXCHANGE, QUEUE, ROUTING_KEY = "certpipe.uploads", "certpipe.uploads.v1", "upload"
BINDING = "0.3.0"


def asyncapi_document() -> dict[str, Any]:
    """The whole document."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "certpipe producers' door",
            "version": version("certpipe"),
            "description": (
                "Publish uploads to the exchange `certpipe.uploads`, persistent, with your broker user as `user_id`, "
                "which the broker checks and which says whose the upload is. Seal the bundle to a key of "
                "`GET /v1/sealing-keys`. The same `upload_id` with the same content again is the same upload. "
                "Name a queue in `reply_to` to be told whether it was accepted."
            ),
        },
        "defaultContentType": "application/json",
        "channels": {"uploads": _uploads(), "replies": _replies()},
        "operations": {"takeUpload": _operation()},
        "components": {
            "messages": {"upload": _message("upload", UploadMessage), "reply": _message("reply", UploadReply)},
            "schemas": component_schemas([UploadMessage, UploadReply, ClearBundle]),
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
        "description": "The producer's own queue, named in `reply_to`; names that begin with `certpipe.` get nothing.",
        "messages": {"reply": {"$ref": "#/components/messages/reply"}},
    }


def _operation() -> dict[str, Any]:
    return {
        "action": "receive",
        "summary": "Take an upload in, and answer when it is committed or refused",
        "channel": {"$ref": "#/channels/uploads"},
        "bindings": {"amqp": {"ack": True, "deliveryMode": 2, "bindingVersion": BINDING}},
        "reply": {
            "address": {"location": "$message.header#/reply_to"},
            "channel": {"$ref": "#/channels/replies"},
        },
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
