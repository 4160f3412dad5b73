"""The page for operators leaves no setting out, and invents none."""

import re
from pathlib import Path

from certpipe.observability import FIELDS
from certpipe.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| `(CERTPIPE_\w+)` \| (.*?) \|", PAGE, re.MULTILINE))


def test_the_page_has_a_row_for_every_setting_and_for_nothing_else() -> None:
    assert list(ROWS) == [f"CERTPIPE_{name.upper()}" for name in Settings.model_fields]


def test_the_page_tells_the_defaults() -> None:
    for name, field in Settings.model_fields.items():
        told = ROWS[f"CERTPIPE_{name.upper()}"]
        if field.default in {None, ""}:
            assert "`" not in told or name == "keys_dir", name
        else:
            assert told == f"`{field.default}`", name


def test_the_page_tells_every_field_of_the_log() -> None:
    assert [name for name in FIELDS if f"`{name}`" not in PAGE] == []
