"""The routes of dialects in the OpenAPI document, as each describes itself."""

import re
from collections.abc import Sequence
from typing import Any

from certpipe.core.ports.dialect import Action, Described, Dialect, DialectRoute
from certpipe.ingress.fields import Fields
from certpipe.ingress.openapi import form_body

PREFER: dict[str, Any] = {
    "name": "Prefer",
    "in": "header",
    "description": "`respond-async` answers 202 at once; `wait=N` waits for at most N seconds",
    "schema": {"type": "string", "examples": ["respond-async"]},
}
PARTY: dict[str, Any] = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The party",
    "schema": {"type": "string", "format": "uuid"},
}
_NO_WORD = re.compile(r"\W+")


def with_dialects(document: dict[str, Any], dialects: Sequence[Dialect]) -> dict[str, Any]:
    """The document, with what these dialects offer."""
    paths: dict[str, dict[str, Any]] = {path: dict(operations) for path, operations in document["paths"].items()}
    for dialect in dialects:
        for route in dialect.routes:
            paths.setdefault(route.path, {})[route.method.lower()] = _operation(dialect, route)
    return {**document, "paths": paths}


def _operation(dialect: Dialect, route: DialectRoute) -> dict[str, Any]:
    name = _NO_WORD.sub("_", f"{dialect.name} {route.method.lower()} {route.path}").strip("_")
    operation: dict[str, Any] = {
        "operationId": name,
        "tags": [dialect.name],
        "summary": route.summary,
        "parameters": [PARTY, *_headers(route)],
        "responses": {str(answer.status): _answer(answer) for answer in route.answers},
    }
    if route.action is Action.UPLOAD:
        operation["parameters"].append(PREFER)
        operation["requestBody"] = form_body(Fields.of(dialect.shape))
    return operation


def _headers(route: DialectRoute) -> list[dict[str, Any]]:
    return [
        {
            "name": header.name,
            "in": "header",
            "required": header.required,
            "description": header.description,
            "schema": dict(header.schema),
        }
        for header in route.headers
    ]


def _answer(answer: Described) -> dict[str, Any]:
    shown: dict[str, Any] = {"description": answer.description}
    if answer.schema is not None:
        shown["content"] = {"application/json": {"schema": dict(answer.schema)}}
    if answer.headers:
        shown["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in answer.headers}
    return shown
