"""The page of the command line."""

from importlib import import_module
from pathlib import Path

import pytest
import typer

from certpipe.cli import COMMANDS

PAGE = (Path(__file__).parents[3] / "docs" / "cli.md").read_text(encoding="utf-8")


def commands() -> list[str]:
    """Every command, with those of its group."""
    found = []
    for name, entry in COMMANDS.items():
        module, attribute = entry.target.split(":")
        subject = getattr(import_module(module), attribute)
        if isinstance(subject, typer.Typer):
            found += [f"{name} {each.name or each.callback.__name__}" for each in subject.registered_commands]  # type: ignore[union-attr]
        else:
            found.append(name)
    return found


@pytest.mark.parametrize("command", commands())
def test_every_command_is_documented(command: str) -> None:
    assert f"certpipe {command}" in PAGE or f"`{command}" in PAGE
    assert f"\n## {command.split(maxsplit=1)[0]}\n" in PAGE
