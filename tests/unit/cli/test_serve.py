"""`certpipe serve` becomes the process of the doors."""

import os
import sys

import pytest

from certpipe.cli.failure import CommandError
from certpipe.cli.serve import serve


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str], dict[str, str]]]:
    became: list[tuple[str, list[str], dict[str, str]]] = []
    monkeypatch.setattr(os, "execve", lambda *how: became.append(how))
    monkeypatch.setenv("CERTPIPE_DIALECTS", "timbrix")
    return became


@pytest.mark.parametrize(
    ("dialects", "told"), [("invopop,lummy", "invopop,lummy"), (" lummy ,", " lummy ,"), ("", ""), (None, "timbrix")]
)
def test_the_doors_are_told_which_dialects_to_speak(
    become: list[tuple[str, list[str], dict[str, str]]], dialects: str | None, told: str
) -> None:
    serve(dialects=dialects)
    ((program, arguments, environment),) = become
    assert (program, arguments) == (sys.executable, [sys.executable, "-P", "-m", "workers.ingress"])
    assert environment["CERTPIPE_DIALECTS"] == told


def test_everything_may_be_one_process(become: list[tuple[str, list[str], dict[str, str]]]) -> None:
    serve(everything=True)
    assert become[0][1][-1] == "workers.all"


def test_an_unknown_dialect_is_told_before_anything_starts(become: list[tuple[str, list[str], dict[str, str]]]) -> None:
    with pytest.raises(CommandError, match="facturama"):
        serve(dialects="lummy,facturama")
    assert not become
