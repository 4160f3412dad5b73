"""What may be put of organizations and parties."""

import pytest
from pydantic import ValidationError

from schemas.directory import OrganizationBody


@pytest.mark.parametrize("name", ["Escuela Kemper Urgate", "Ñandú & Cía., S.A. de C.V.", "x", "日本 🏦", " a "])
def test_a_name_may_be_written_in_any_script(name: str) -> None:
    assert OrganizationBody(rfc="EKU9003173C9", name=name).name == name


@pytest.mark.parametrize(
    "name",
    ["", " ", "a\nb", "a\x00", "\x7f", "\xa0", "a\u202eb", "\u200b", "a\u2028", "a\u2066b", "\ufeff", "x" * 301, "a\n"],
)
def test_a_name_has_no_controls_and_nothing_that_hides_or_turns_the_line(name: str) -> None:
    with pytest.raises(ValidationError):
        OrganizationBody(rfc="EKU9003173C9", name=name)
