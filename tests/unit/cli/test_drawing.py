from pathlib import Path

from certpipe.cli.drawing import states_page


def test_the_page_of_states_says_what_the_code_says() -> None:
    page = Path(__file__).parents[3] / "docs" / "states.md"
    assert page.read_text(encoding="utf-8") == states_page(), "stale: run `make schemas`"
