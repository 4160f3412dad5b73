"""A group whose commands are loaded when they run, and whose every failure is a sentence and an exit code."""

import json
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from certpipe.cli.failure import CommandError, ExitCode
from certpipe.cli.humane import humane

CONTEXT = {"help_option_names": ["-h", "--help"]}


@dataclass(frozen=True, slots=True)
class Entry:
    """One command: `target` is `module:attribute` (a function, or a Typer of sub-commands), `help` one line."""

    target: str
    help: str


class Deferred(TyperCommand):
    """Stands for a command in lists; becomes the real one when its arguments are parsed."""

    def __init__(self, name: str, entry: Entry) -> None:
        super().__init__(name, help=entry.help)
        self.target = entry.target

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        module, attribute = self.target.split(":")
        subject: typer.Typer | Callable[..., Any] = getattr(import_module(module), attribute)
        if not isinstance(subject, typer.Typer):
            function, subject = subject, typer.Typer()
            subject.command(self.name, context_settings=CONTEXT)(function)
        subject.rich_markup_mode = None
        subject._add_completion = False  # noqa: SLF001 - only the root installs completion
        return get_command(subject).make_context(info_name, args, parent, **extra)


class LazyGroup(TyperGroup):
    """The root: no command raises out of here, no traceback comes out unless `CERTPIPE_DEBUG=1` asks for it."""

    def defer(self, entries: dict[str, Entry]) -> None:
        """List these commands, importing none."""
        for name, entry in entries.items():
            self.add_command(Deferred(name, entry))

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,  # noqa: FBT001, FBT002 - the signature of what it overrides
        windows_expand_args: bool = True,  # noqa: FBT001, FBT002 - likewise
        **extra: Any,
    ) -> Any:
        arguments = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(arguments, prog_name, complete_var, False, windows_expand_args, **extra)  # noqa: FBT003
        except CommandError as error:
            code = tell(error, as_json="--json" in arguments)
        except typer.TyperException as error:
            code = tell_wrong_use(error)
        except (typer.Abort, KeyboardInterrupt):
            code = ExitCode.INTERRUPTED
        except SystemExit:
            raise
        except BaseException as error:  # noqa: BLE001 - the last line of defence: whatever it is, no traceback
            told = humane(error)
            code = tell(told, as_json="--json" in arguments) if told else tell_defect(error)
        code = code if isinstance(code, int) else ExitCode.FINE
        if standalone_mode:
            sys.exit(int(code))
        return code


def tell(error: CommandError, *, as_json: bool) -> ExitCode:
    """Print it for people on stderr, or for programs on stdout."""
    if as_json:
        typer.echo(json.dumps(error.document, ensure_ascii=False, default=str))
    else:
        typer.echo(f"certpipe: {error.message}", err=True)
        if error.hint:
            typer.echo(f"  → {error.hint}", err=True)
    return error.exit_code


def tell_wrong_use(error: typer.TyperException) -> ExitCode:
    """What the parser found, and where the help is."""
    context: typer.Context | None = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":  # its message is the help itself
        typer.echo(error.format_message(), err=True)
        return ExitCode.WRONG_USE
    path = context.command_path if context else "certpipe"
    typer.echo(f"certpipe: {error.format_message().replace('Value error, ', '')}", err=True)
    typer.echo(f"  → see: {path} --help", err=True)
    return ExitCode.WRONG_USE


def tell_defect(error: BaseException) -> ExitCode:
    """One line: the kind of the error and no text of it, for it might hold what must not be shown."""
    typer.echo(f"certpipe: this should not have happened ({type(error).__name__}).", err=True)
    if os.environ.get("CERTPIPE_DEBUG") == "1":
        typer.echo("".join(traceback.format_tb(error.__traceback__)) + type(error).__name__, err=True)
    else:
        typer.echo("  → run it again with CERTPIPE_DEBUG=1 to see where, and report that.", err=True)
    return ExitCode.DEFECT
