"""Writes `schemas/published/` (JSON Schemas of every contract, `openapi.json`, `asyncapi.json`) and pages of `docs/`.

python -m certpipe.cli.schemas            writes what differs
python -m certpipe.cli.schemas --check    writes nothing, and fails when something differs
"""

import argparse
import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import schemas
from certpipe.cli.catalogue import with_catalogue
from certpipe.cli.drawing import states_page
from certpipe.dialects import DIALECTS
from certpipe.ingress.asyncapi import asyncapi_document
from certpipe.ingress.openapi import mode_of, openapi_document
from certpipe.ingress.openapi_dialects import with_dialects
from certpipe.ingress.routes import ROUTES
from schemas.base import Contract

PUBLISHED = Path(schemas.__path__[0]) / "published"
DOCS = PUBLISHED.parents[1] / "docs"


def contracts() -> Iterator[type[Contract]]:
    """Every contract that is defined in `schemas`, in the order of their names."""
    found = {
        name: member
        for module in iter_modules(schemas.__path__, "schemas.")
        for name, member in inspect.getmembers(import_module(module.name), inspect.isclass)
        if issubclass(member, Contract) and member is not Contract
    }
    yield from (found[name] for name in sorted(found))


def documents() -> Mapping[str, str]:
    """File names and what must stand in them."""
    written: dict[str, dict[str, Any]] = {
        f"{contract.__name__}.json": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **contract.model_json_schema(mode=mode_of(contract)),
        }
        for contract in contracts()
    }
    written |= {
        "openapi.json": with_dialects(openapi_document(ROUTES), list(DIALECTS.values())),
        "asyncapi.json": asyncapi_document(),
    }
    return {name: json.dumps(written[name], indent=2, ensure_ascii=False) + "\n" for name in written}


def stale(folder: Path = PUBLISHED) -> list[str]:
    """The names of files that are missing, differ, or belong to no contract any more."""
    wanted = documents()
    there = {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.json")}
    return sorted(name for name in wanted.keys() | there.keys() if wanted.get(name) != there.get(name))


def write(folder: Path = PUBLISHED) -> list[str]:
    """Make the folder what it must be; returns the names of what was changed."""
    wanted, changed = documents(), stale(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in changed:
        if name in wanted:
            (folder / name).write_text(wanted[name], encoding="utf-8")
        else:
            (folder / name).unlink()
    return changed


def pages(folder: Path = DOCS) -> Mapping[Path, str]:
    """Pages of the documentation, as far as they are not what the code says, and what they must be."""
    events = folder / "events.md"
    wanted = {
        events: with_catalogue(events.read_text(encoding="utf-8")),
        folder / "states.md": states_page(),
    }
    return {page: text for page, text in wanted.items() if page.read_text(encoding="utf-8") != text}


def main() -> int:
    """Exit code 1 when `--check` finds something stale."""
    parser = argparse.ArgumentParser(prog="python -m certpipe.cli.schemas", description="Publish the contracts")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when something is stale")
    check = parser.parse_args().check
    changed = [f"schemas/published/{name}" for name in (stale() if check else write())]
    for page, text in pages().items():
        changed.append(f"docs/{page.name}")
        if not check:
            page.write_text(text, encoding="utf-8")
    for name in changed:
        sys.stderr.write(f"{'stale' if check else 'written'}: {name}\n")
    if check and changed:
        sys.stderr.write("run: make schemas\n")
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
