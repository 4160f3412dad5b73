"""The model in `docs/model` says what its page says."""

import subprocess
from pathlib import Path

import pytest

from tests.languages import Language, fault

SPIN = Language((), ("spin", "-V"), packages=("spin", "gcc", "libc6-dev"))
MODEL = Path(__file__).parents[2] / "docs" / "model" / "outbox.pml"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module", autouse=True)
def spin() -> None:
    if said := fault(SPIN):
        pytest.skip(said)


def _errors(folder: Path, *options: str) -> str:
    """What the search tells of errors."""
    for command in (
        ["spin", "-a", *options, str(MODEL)],
        ["gcc", "-O1", "-w", "-DSAFETY", "-DNOCLAIM", "-o", "safe", "pan.c"],
    ):
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    said = subprocess.run(["./safe", "-m1000000"], cwd=folder, check=True, capture_output=True, text=True).stdout
    return next(line.rpartition(",")[2].strip() for line in said.splitlines() if "errors:" in line)


def test_no_older_certificate_comes_to_the_pac_after_a_newer_one(tmp_path: Path) -> None:
    assert _errors(tmp_path) == "errors: 0"


@pytest.mark.parametrize("option", ["-DOVERTAKES", "-DTOGETHER"])
def test_what_the_page_says_would_go_wrong_does(tmp_path: Path, option: str) -> None:
    assert _errors(tmp_path, option) == "errors: 1"
