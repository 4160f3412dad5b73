"""How the root behaves: commands are found, failures are sentences, no traceback comes out."""

from collections.abc import Callable
from typing import Annotated, NoReturn

import pytest
import typer
from typer.testing import CliRunner

from certpipe.cli import COMMANDS, app
from certpipe.cli.failure import CommandError, ExitCode
from certpipe.cli.group import Entry

SECRET = "hunter2hunter2"


def refuse() -> NoReturn:
    raise CommandError("it cannot be.", hint="do that.", exit_code=ExitCode.NO, document={"code": "it"})


def break_down() -> NoReturn:
    raise RuntimeError(SECRET)


def press_ctrl_c() -> NoReturn:
    raise KeyboardInterrupt


def abort() -> NoReturn:
    raise typer.Abort


AsJson = Annotated[bool, typer.Option("--json")]


def answer(number: int, *, as_json: AsJson = False) -> None:
    typer.echo(f"{number} {as_json}")
    raise typer.Exit(number)


def refuse_with_option(*, as_json: AsJson = False) -> NoReturn:
    del as_json
    refuse()


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str, str]]:
    """Run the root with these functions as commands."""
    for function in (refuse, break_down, press_ctrl_c, abort, answer, refuse_with_option):
        name = function.__name__.replace("_", "-")
        monkeypatch.setitem(COMMANDS, name, Entry(f"{__name__}:{function.__name__}", "For a test."))

    def invoke(*arguments: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(app, list(arguments))
        return result.exit_code, result.stdout, result.stderr

    return invoke


Run = Callable[..., tuple[int, str, str]]


def test_the_help_lists_every_command_and_the_exit_codes(run: Run) -> None:
    code, told, _ = run("--help")
    assert code == 0
    for word in (*COMMANDS, "Exit codes", "CERTPIPE_URL", "--version"):
        assert word in told


def test_nothing_at_all_shows_the_help_and_is_wrong_use(run: Run) -> None:
    code, _, complaint = run()
    assert code == 2
    assert "Usage: certpipe" in complaint


def test_the_version_is_told(run: Run) -> None:
    code, told, _ = run("--version")
    assert (code, told.split()[0]) == (0, "certpipe")


def test_an_unknown_command_names_the_nearest_one(run: Run) -> None:
    code, _, complaint = run("uplaod")
    assert code == 2
    assert "Did you mean 'upload'?" in complaint
    assert "certpipe --help" in complaint


def test_an_unknown_option_names_the_nearest_one(run: Run) -> None:
    code, _, complaint = run("answer", "1", "--jsom")
    assert code == 2
    assert "--json" in complaint


def test_a_missing_and_a_malformed_argument_are_named(run: Run) -> None:
    assert "'number'" in run("answer")[2].lower()
    code, _, complaint = run("answer", "x")
    assert code == 2
    assert "'number'" in complaint
    assert "answer --help" in complaint


def test_an_exit_code_of_a_command_is_the_exit_code(run: Run) -> None:
    assert run("answer", "3", "--json")[:2] == (3, "3 True\n")


def test_a_refusal_is_a_sentence_and_a_hint_on_standard_error(run: Run) -> None:
    assert run("refuse") == (1, "", "certpipe: it cannot be.\n  → do that.\n")


def test_a_refusal_is_a_document_on_standard_output_for_programs(run: Run) -> None:
    assert run("refuse-with-option", "--json") == (1, '{"code": "it"}\n', "")


def test_a_defect_is_one_sentence_without_traceback_and_without_the_errors_text(run: Run) -> None:
    code, told, complaint = run("break-down")
    assert (code, told) == (70, "")
    assert "RuntimeError" in complaint
    assert "CERTPIPE_DEBUG=1" in complaint
    assert "Traceback" not in complaint
    assert SECRET not in complaint


def test_debugging_shows_where_it_broke_and_still_no_text_and_no_locals(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CERTPIPE_DEBUG", "1")
    _, _, complaint = run("break-down")
    assert "test_group.py" in complaint
    assert SECRET not in complaint


def test_ctrl_c_is_quiet_and_130(run: Run) -> None:
    assert run("press-ctrl-c") == (130, "", "")
    assert run("abort") == (130, "", "")
