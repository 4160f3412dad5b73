"""OpenAPI 3.1, made of the route table and the contracts: pydantic writes JSON Schema 2020-12, as 3.1 wants it."""

import re
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from certpipe.core.ports.dialect import BodyForm
from certpipe.ingress.answers import PROBLEM_JSON, problem_document
from certpipe.ingress.base64text import BASE64_PATTERN
from certpipe.ingress.examples import EXAMPLES, PROBLEMS
from certpipe.ingress.fields import FILES, Fields
from certpipe.ingress.form import MOST_FILE_BYTES, MOST_PASSWORD_CHARACTERS
from certpipe.ingress.organizations import USER_PATTERN
from certpipe.ingress.route import TICKET, Answer, Route
from schemas.base import Kind
from schemas.directory import RFC_PATTERN
from schemas.services import SERVICE_PATTERN
from schemas.status import ProblemDocument
from schemas.webhooks import MOST_PLACE

REF = "#/components/schemas/{model}"
PATH_PARAMETER = re.compile(r"{(\w+)}")
MEDIA = {BodyForm.MULTIPART: "multipart/form-data", BodyForm.JSON: "application/json"}
HEADERS: dict[str, dict[str, Any]] = {
    "Location": {"description": "Where it is", "schema": {"type": "string", "format": "uri-reference"}},
    "Retry-After": {"description": "Seconds after which to ask again", "schema": {"type": "integer"}},
    "ETag": {"description": "The upload's sequence", "schema": {"type": "string"}},
    "Idempotent-Replayed": {"description": "`true`: the key was known", "schema": {"type": "string"}},
    "Preference-Applied": {"description": "What of `Prefer` was honoured", "schema": {"type": "string"}},
    "WWW-Authenticate": {"description": "How to say who you are", "schema": {"type": "string"}},
    "Allow": {"description": "The methods that are allowed", "schema": {"type": "string"}},
}
_IN_PATH: dict[str, dict[str, Any]] = {
    "id": {"type": "string", "format": "uuid"},
    "user": {"type": "string", "pattern": f"^{USER_PATTERN}$"},
    "delivery": {"type": "integer", "minimum": 1, "maximum": MOST_PLACE},
    "service": {"type": "string", "pattern": f"^{SERVICE_PATTERN}$"},
    "letter": {"type": "integer", "minimum": 1, "maximum": MOST_PLACE},
}
_FIELDS: dict[str, dict[str, Any]] = {
    "certificate": {"type": "string", "description": "The .cer as SAT gave it; at most 64 KiB"},
    "private_key": {"type": "string", "description": "The .key as SAT gave it, encrypted; at most 64 KiB"},
    "password": {"type": "string", "format": "password", "minLength": 1, "maxLength": MOST_PASSWORD_CHARACTERS},
    "party_id": {"type": "string", "format": "uuid"},
    "kind": {"type": "string", "enum": [*Kind]},
    "rfc": {"type": "string", "pattern": f"^{RFC_PATTERN}$"},
}
_AS_BYTES = {"contentMediaType": "application/octet-stream", "minLength": 1, "maxLength": MOST_FILE_BYTES}
_IN_BASE64 = {
    "contentEncoding": "base64",
    "minLength": 4,
    "maxLength": MOST_FILE_BYTES // 3 * 4,
    "pattern": BASE64_PATTERN,
}
_TICKET = "Of `POST /v1/events/ticket`: good once, for clients that can send no header"
_REFUSAL_HEADERS = {401: ("WWW-Authenticate",), 409: ("Retry-After",), 503: ("Retry-After",)}


def openapi_document(routes: Sequence[Route]) -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "certpipe",
            "version": version("certpipe"),
            "summary": "The self-hosted intake for Mexican tax certificates",
            "description": "Every refusal is an RFC 9457 problem with a stable `code`, told in Spanish and English.",
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "schemas": component_schemas(_models(routes)),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "ticket": {"type": "apiKey", "in": "query", "name": TICKET, "description": _TICKET},
            },
            "headers": HEADERS,
        },
    }


def component_schemas(models: Iterable[type[BaseModel]]) -> dict[str, Any]:
    """The schemas of these contracts and of all that they hold."""
    wanted = [(model, mode_of(model)) for model in sorted(set(models), key=lambda model: model.__name__)]
    _, definitions = models_json_schema(wanted, ref_template=REF)
    schemas: dict[str, Any] = definitions["$defs"]
    return schemas


def mode_of(model: type[BaseModel]) -> JsonSchemaMode:
    """What others send us is described as it is read (a default may be left out), the rest as it is written."""
    return "validation" if model.__name__.endswith(("Body", "Bundle", "Change", "Message", "Ref")) else "serialization"


def _models(routes: Sequence[Route]) -> set[type[BaseModel]]:
    models: set[type[BaseModel]] = {ProblemDocument}
    for route in routes:
        models |= {answer.model for answer in route.answers if answer.model}
        models |= {route.body} if route.body else set()
    return models


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"{route.handler.__module__.rpartition('.')[2]}_{route.handler.__name__}",
        "summary": route.summary,
        "parameters": _parameters(route),
        "responses": {str(answer.status): _answer(answer) for answer in route.answers}
        | {str(status): _refusal(status) for status in _refusals(route)},
    }
    if route.public:
        operation["security"] = []
    if route.ticketed:
        operation["security"] = [{"bearer": []}, {"ticket": []}]
    if route.body:
        content = {"application/json": _content(route.body)}
        operation["requestBody"] = {"required": not route.body_optional, "content": content}
    if route.form:
        operation["requestBody"] = form_body(route.form)
    return operation


def _parameters(route: Route) -> list[dict[str, Any]]:
    in_path = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": _IN_PATH[name],
        }
        for name in PATH_PARAMETER.findall(route.path)
    ]
    others = [
        {
            "name": parameter.name,
            "in": parameter.where,
            "description": parameter.description,
            "schema": dict(parameter.schema),
        }
        for parameter in route.parameters
    ]
    return in_path + others


def _refusals(route: Route) -> list[int]:
    """Those of the table, and those that every route has: no token, a query that is not known, our own faults."""
    always = {400, 500} if route.public else {400, 401, 500, 503}
    return sorted({*route.refusals, *always} - {answer.status for answer in route.answers})


def _answer(answer: Answer) -> dict[str, Any]:
    shown: dict[str, Any] = {"description": answer.description}
    if answer.model and answer.streamed:
        shown["content"] = {"text/event-stream": {"schema": _streamed(answer.model)}}
    elif answer.model:
        shown["content"] = {"application/json": _content(answer.model)}
    elif answer.status == 200:  # noqa: PLR2004 - a document that describes itself
        shown["content"] = {"application/json": {"schema": {"type": "object"}}}
    if answer.headers:
        shown["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in answer.headers}
    return shown


def _streamed(model: type[BaseModel]) -> dict[str, Any]:
    """One event of a stream, by its fields (WHATWG HTML, 9.2)."""
    ref = {"$ref": REF.format(model=model.__name__)}
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": ref}
    fields = {"id": {"type": "string", "pattern": "^[0-9]+$"}, "event": {"type": "string"}, "data": data}
    return {"type": "object", "properties": fields, "required": [*fields]}


def _content(model: type[BaseModel]) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": {"$ref": REF.format(model=model.__name__)}}
    example = EXAMPLES.get(model)
    if example is not None:
        content["example"] = example.model_dump(mode="json")
    return content


def _refusal(status: int) -> dict[str, Any]:
    problem = PROBLEMS[status]
    example = problem_document([problem], status=status, instance="urn:uuid:0199b0c2-5a00-7000-8000-0000000000aa")
    shown: dict[str, Any] = {
        "description": problem.message_en,
        "content": {
            PROBLEM_JSON: {
                "schema": {"$ref": REF.format(model="ProblemDocument")},
                "example": example.model_dump(mode="json", exclude_none=True),
            }
        },
    }
    headers = _REFUSAL_HEADERS.get(status)
    if headers:
        shown["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
    return shown


def form_body(fields: Fields) -> dict[str, Any]:
    """The body of an upload, in each form that it may have."""
    content = {
        media: _form(fields, in_json=form is BodyForm.JSON) for form, media in MEDIA.items() if form in fields.forms
    }
    return {"required": True, "content": content}


def _form(fields: Fields, *, in_json: bool) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {
            wire: _field(name, required=name in fields.required, in_json=in_json)
            for wire, name in sorted(fields.names.items())
        },
        "required": sorted(map(fields.wire, fields.required)),
        "additionalProperties": False,
    }
    files = {wire: extension for wire, name in sorted(fields.names.items()) if (extension := fields.extension(name))}
    if in_json or not files:
        return {"schema": schema}
    return {"schema": schema, "encoding": {wire: _named(wire, extension) for wire, extension in files.items()}}


def _named(wire: str, extension: str) -> dict[str, Any]:
    """A part whose file name has to end in `extension`."""
    header = {
        "description": f"The file name ends in `{extension}`",
        "schema": {"type": "string"},
        "example": f'form-data; name="{wire}"; filename="{wire}{extension}"',
    }
    return {"contentType": "application/octet-stream", "headers": {"Content-Disposition": header}}


def _field(name: str, *, required: bool, in_json: bool) -> dict[str, Any]:
    """Empty, or null in JSON, is as good as left out where a field may be left out."""
    schema = _FIELDS[name]
    if name in FILES:
        return {**schema, **(_IN_BASE64 if in_json else _AS_BYTES)}
    if required:
        return schema
    return {"anyOf": [schema, {"type": "string", "maxLength": 0}, *([{"type": "null"}] if in_json else [])]}
