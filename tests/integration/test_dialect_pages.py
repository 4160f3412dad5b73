"""What the page of each dialect tells its reader to type."""

import json
from pathlib import Path

import pytest

from certpipe.dialects import DIALECTS
from tests import clients
from tests.golden_schemas import assert_fits
from tests.vendors import Vendors

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGES = Path(__file__).parents[2] / "docs" / "dialects"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_the_example_works_as_it_stands(
    dialect: str, running: Vendors, tmp_path: Path, shared_folder: Path
) -> None:
    clients.need(clients.PROGRAMS, shared_folder)
    (tmp_path / ".certpipe").symlink_to(running.installation.folder)
    page = (PAGES / f"{dialect}.md").read_text(encoding="utf-8")
    said = await clients.run("bash", "-euc", page.split("```sh\n")[1].split("```")[0], folder=tmp_path)
    party, end = json.JSONDecoder().raw_decode(said)
    assert party["rfc"] == "EKU9003173C9"
    if dialect == "invopop":
        assert said[end:] == "204\n"
    else:
        assert_fits(json.loads(said[end:]), dialect, "uploaded")
