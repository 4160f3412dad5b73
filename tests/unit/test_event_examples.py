"""Each event has an example that keeps what the catalogue promises."""

import json

import pytest

from schemas.event_examples import example
from schemas.events import CATALOGUE, Event, EventType

OF_ALL = {"organization_id", "sequence", "problems"}
OF_UPLOADS = {"upload_id", "party_id", "kind"}


@pytest.mark.parametrize("type_", EventType)
def test_an_example_has_the_members_of_its_type_and_no_others(type_: EventType) -> None:
    data = json.loads(example(type_).body())["data"]
    common = OF_ALL if type_.startswith("endpoint.") else OF_ALL | OF_UPLOADS
    assert set(data) == common | set(CATALOGUE[type_].carries)
    assert bool(data["problems"]) == ("problems" in CATALOGUE[type_].carries)


@pytest.mark.parametrize("type_", EventType)
def test_an_example_reads_back_as_it_was_written(type_: EventType) -> None:
    assert Event.model_validate_json(example(type_).body()) == example(type_)


def test_an_id_tells_subject_and_sequence() -> None:
    event = example(EventType.STORED)
    assert event.data.upload_id is not None
    assert event.id == f"evt_{event.data.upload_id.hex}_{event.data.sequence}"
