"""The schemas that were derived by hand from the vendors' documents: what a body may hold, to the member."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

GOLDEN = Path(__file__).parent / "golden"


def assert_fits(body: Any, vendor: str, name: str) -> None:
    """The body, parsed, has exactly the members of `golden/<vendor>/schema-<name>.json`."""
    schema = json.loads((GOLDEN / vendor / f"schema-{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    faults = [f"{fault.json_path}: {fault.message}" for fault in Draft202012Validator(schema).iter_errors(body)]
    assert not faults, (faults, body)
