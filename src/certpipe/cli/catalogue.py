"""Writes the catalogue of events into `docs/events.md`, between two marks; all else on that page is written by hand."""

import json
from collections.abc import Iterator

from schemas.event_examples import example
from schemas.events import CATALOGUE, EventType

BEGIN = "<!-- catalogue: written by `make schemas` -->"
END = "<!-- end of catalogue -->"


def with_catalogue(page: str) -> str:
    """The page with the catalogue as the code has it. Raises `ValueError` when a mark is missing."""
    before, _, rest = page.partition(BEGIN)
    old, _, after = rest.partition(END)
    if not rest or not (old or after):
        raise ValueError(f"docs/events.md needs the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{chr(10).join(_lines())}{END}{after}"


def _lines() -> Iterator[str]:
    yield from ("", "| type | when | members of `data` besides |", "| --- | --- | --- |")
    for event, described in CATALOGUE.items():
        carried = ", ".join(f"`{name}`" for name in described.carries) or "-"
        yield f"| [`{event}`](#{_anchor(event)}) | {described.when} | {carried} |"
    yield ""
    for event in CATALOGUE:
        yield from (f"### {event}", "", "```json", _body(event), "```", "")


def _body(event: EventType) -> str:
    return json.dumps(json.loads(example(event).body()), indent=2, ensure_ascii=False)


def _anchor(event: EventType) -> str:
    """As the usual renderers of Markdown make it of the heading."""
    return event.replace(".", "")
