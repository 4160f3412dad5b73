"""Named queries: SQL lives in `queries/*.sql`, where editors and people read it as SQL.

A query begins at `-- name: x`. A line `-- with: y` stands for the text of query `y` of the same file, so that what
several queries begin with is written once.
"""

import re
from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_WITH = re.compile(r"^-- with: (\w+)$", re.MULTILINE)


def queries(file: str) -> Mapping[str, str]:
    """The queries of `queries/<file>.sql` by name. Raises `KeyError` for an unknown fragment."""
    return parse((files("certpipe.store") / "queries" / f"{file}.sql").read_text("utf-8"))


def parse(text: str) -> Mapping[str, str]:
    """The queries of a text by name, fragments filled in. A fragment stands before its use."""
    _, *pieces = _NAME.split(text)
    known: dict[str, str] = {}
    for name, body in zip(pieces[::2], pieces[1::2], strict=True):
        if name in known:
            raise ValueError(f"two queries are named {name}")
        known[name] = _WITH.sub(lambda use: known[use[1]], body).strip()
    return MappingProxyType(known)
