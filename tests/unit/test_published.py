"""What is published is what the code says."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from certpipe.broker import topology
from certpipe.cli.schemas import PUBLISHED, contracts, documents, stale, write
from certpipe.dialects import DIALECTS
from certpipe.ingress import asyncapi
from certpipe.ingress.examples import EXAMPLES
from certpipe.ingress.routes import ROUTES
from schemas.event_examples import example
from schemas.events import EventType


def openapi() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((PUBLISHED / "openapi.json").read_text())
    return document


def test_nothing_that_is_published_is_stale() -> None:
    assert stale() == [], "run: python -m certpipe.cli.schemas"


def test_what_differs_is_told_written_and_removed(tmp_path: Path) -> None:
    (tmp_path / "Gone.json").write_text("{}")
    assert "Gone.json" in stale(tmp_path)
    assert write(tmp_path) == sorted([*documents(), "Gone.json"])
    assert stale(tmp_path) == []
    (tmp_path / "openapi.json").write_text("{}")
    assert stale(tmp_path) == ["openapi.json"]


def test_the_openapi_document_is_valid_3_1() -> None:
    validate(openapi(), cls=OpenAPIV31SpecValidator)


def test_every_route_is_described_with_its_refusals() -> None:
    paths = openapi()["paths"]
    spoken = {(route.method, route.path) for dialect in DIALECTS.values() for route in dialect.routes}
    assert {(route.method, route.path) for route in ROUTES} | spoken == {
        (method.upper(), path) for path, operations in paths.items() for method in operations
    }
    for route in ROUTES:
        responses = paths[route.path][route.method.lower()]["responses"]
        wanted = {500} if route.public else {400, 401, 500, 503}
        assert wanted | set(route.refusals) <= {int(status) for status in responses}


def test_operation_ids_are_unique() -> None:
    ids = [each["operationId"] for operations in openapi()["paths"].values() for each in operations.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("contract", [*contracts()], ids=lambda contract: contract.__name__)
def test_every_contract_is_a_valid_schema_that_its_example_fits(contract: Any) -> None:
    schema = json.loads((PUBLISHED / f"{contract.__name__}.json").read_text())
    Draft202012Validator.check_schema(schema)
    if contract in EXAMPLES:
        Draft202012Validator(schema).validate(EXAMPLES[contract].model_dump(mode="json"))


def test_every_answer_in_the_openapi_document_shows_an_example_that_fits() -> None:
    document = openapi()
    shown = 0
    for operations in document["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                for content in response.get("content", {}).values():
                    if "example" in content:
                        schema = {**content["schema"], "components": document["components"]}
                        Draft202012Validator(schema).validate(content["example"])
                        shown += 1
    assert shown > len(ROUTES)


def test_the_asyncapi_document_names_the_topology_of_the_broker() -> None:
    assert (asyncapi.EXCHANGE, asyncapi.QUEUE, asyncapi.ROUTING_KEY) == (
        topology.UPLOADS,
        topology.UPLOADS_QUEUE,
        topology.UPLOADS_KEY,
    )
    (binding,) = [each for each in topology.BINDINGS if each.queue == topology.UPLOADS_QUEUE]
    assert (binding.exchange, binding.key) == (asyncapi.EXCHANGE, asyncapi.ROUTING_KEY)
    (exchange,) = [each for each in topology.EXCHANGES if each.name == asyncapi.EXCHANGE]
    document = json.loads((PUBLISHED / "asyncapi.json").read_text())
    shown = document["channels"]["uploads"]["bindings"]["amqp"]["exchange"]
    assert (shown["name"], shown["type"]) == (exchange.name, exchange.kind)


def test_the_asyncapi_document_tells_every_event_by_the_exchange_of_the_broker() -> None:
    (exchange,) = [each for each in topology.EXCHANGES if each.name == asyncapi.EVENTS]
    document = json.loads((PUBLISHED / "asyncapi.json").read_text())
    channel = document["channels"][topology.EVENTS]
    shown = channel["bindings"]["amqp"]["exchange"]
    assert (shown["name"], shown["type"]) == (exchange.name, exchange.kind) == (topology.EVENTS, "topic")
    assert set(channel["messages"]) == set(channel["parameters"]["type"]["enum"]) == {*EventType}
    assert {f"{{{name}}}" for name in channel["parameters"]} == set(channel["address"].split("."))
    followed = set(document["channels"]["replies"]["messages"]) - {"reply"}
    assert followed == {event for event in EventType if example(event).data.upload_id is not None}


@pytest.mark.parametrize("event", EventType)
def test_the_example_of_an_event_fits_its_message_and_no_other(event: EventType) -> None:
    document = json.loads((PUBLISHED / "asyncapi.json").read_text())
    messages = document["components"]["messages"]
    (shown,) = messages[event]["examples"]
    fits = {
        other
        for other in EventType
        if Draft202012Validator({**messages[other]["payload"], "components": document["components"]}).is_valid(
            shown["payload"]
        )
    }
    assert fits == {event}


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    document = json.loads((PUBLISHED / "asyncapi.json").read_text())

    def follow(node: Any) -> int:
        if isinstance(node, list):
            return sum(map(follow, node))
        if not isinstance(node, dict):
            return 0
        if "$ref" in node:
            place: Any = document
            for step in node["$ref"].removeprefix("#/").split("/"):
                place = place[step]
            return 1
        return sum(map(follow, node.values()))

    assert follow(document) > 5
