"""`certpipe dead`: what died, looked at, replayed, dropped. For operators."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from certpipe.cli.failure import CommandError
from certpipe.cli.options import Json, TokenFile, Url, parse_instant
from certpipe.cli.problems import clean, fault_lines
from certpipe.cli.resources import ask
from certpipe.cli.show import read, show_facts, show_json
from schemas.dead import DeadLetterPage, DeadLetterView, DeadReplayView, LetterState
from schemas.status import Stage

PATH = "/v1/dead"
MARKS = {LetterState.OPEN: "✗", LetterState.REPLAYED: "↻", LetterState.DROPPED: "·"}

app = typer.Typer(no_args_is_help=True, help="Dead letters: what failed, or could not be delivered. For operators.")

Letter = Annotated[int, typer.Argument(metavar="NUMBER", min=1, help="The letter, by its number in the list.")]
OfStage = Annotated[Stage | None, typer.Option("--stage", help="Only what this stage gave up.")]
OfCode = Annotated[str | None, typer.Option("--code", metavar="CODE", help="Only what died of this.")]
Since = Annotated[
    datetime | None,
    typer.Option("--since", metavar="TIME", parser=parse_instant, help="Only what died since then, in UTC."),
]


@app.command("list")
def list_letters(
    *,
    stage: OfStage = None,
    code: OfCode = None,
    since: Since = None,
    every: Annotated[bool, typer.Option("--all", help="Those that were replayed or dropped, too.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="How many of them.")] = 20,
    cursor: Annotated[int | None, typer.Option("--cursor", min=1, metavar="NUMBER", help="Go on after it.")] = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """List the open letters, newest first.

    Example: certpipe dead list --stage forward --since 2026-11-30
    """
    wanted = {**_wanted(stage, code, since), "limit": limit, "cursor": cursor}
    if not every:
        wanted["state"] = LetterState.OPEN.value
    query = urlencode({name: value for name, value in wanted.items() if value})
    document = ask("GET", f"{PATH}?{query}", url, token_file).body
    page = read(DeadLetterPage, document)
    if as_json:
        show_json(document)
        return
    if not page.items:
        typer.echo("no dead letters.")
    for letter in page.items:
        typer.echo(line_of(letter))
    if page.next:
        typer.echo(f"more: add --cursor {page.next}")


@app.command()
def show(letter: Letter, *, url: Url = None, token_file: TokenFile = None, as_json: Json = False) -> None:
    """Show one letter: why it died, what is known of it, what was done with it."""
    _tell(ask("GET", f"{PATH}/{letter}", url, token_file).body, as_json=as_json)


@app.command()
def replay(
    letter: Annotated[
        int | None, typer.Argument(metavar="[NUMBER]", min=1, help="One letter, by its number in the list.")
    ] = None,
    *,
    stage: OfStage = None,
    code: OfCode = None,
    since: Since = None,
    every: Annotated[bool, typer.Option("--all", help="Every open letter.")] = False,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Let uploads go on from the stage that failed: one, or all open letters that fit.

    Example: certpipe dead replay --stage forward --code pac_unavailable
    """
    wanted = {name: value for name, value in _wanted(stage, code, since).items() if value}
    if [letter is not None, bool(wanted), every].count(True) != 1:
        raise CommandError(
            "it is not clear what to replay.", hint="give NUMBER, or --stage, --code and --since, or --all."
        )
    if letter is not None:
        _tell(ask("POST", f"{PATH}/{letter}/replay", url, token_file).body, as_json=as_json)
        return
    replayed, refused = _all(wanted, url, token_file)
    if as_json:
        show_json({"replayed": replayed, "refused": refused})
    else:
        typer.echo(f"{replayed} go on again; {refused} cannot: certpipe dead replay NUMBER says why.")


@app.command()
def drop(letter: Letter, *, url: Url = None, token_file: TokenFile = None, as_json: Json = False) -> None:
    """Give a letter up: what is left of its bundle is deleted for ever, and its upload stays failed."""
    _tell(ask("DELETE", f"{PATH}/{letter}", url, token_file).body, as_json=as_json)


def line_of(letter: DeadLetterView) -> str:
    """One letter on a line."""
    about = letter.upload_id or (letter.message or {}).get("user") or ""
    line = (
        f"{letter.id:>8}  {MARKS[letter.state]} {letter.state:<8}  {letter.died_at:%Y-%m-%d %H:%M:%S}  "
        f"{letter.reason:<14}  {letter.stage or '-':<8}  {clean(letter.code or '-'):<24}  {clean(about)}"
    )
    return line.rstrip()


def _wanted(stage: Stage | None, code: str | None, since: datetime | None) -> dict[str, Any]:
    return {"stage": stage and stage.value, "code": code, "since": since and since.isoformat()}


def _all(wanted: dict[str, Any], url: str | None, token_file: Path | None) -> tuple[int, int]:
    """Slice after slice, as the server does them."""
    replayed, refused, after = 0, 0, 0
    while True:
        document = ask("POST", f"{PATH}/replay", url, token_file, {**wanted, "after": after}).body
        slice_ = read(DeadReplayView, document)
        replayed, refused = replayed + slice_.replayed, refused + slice_.refused
        if slice_.next is None or slice_.next <= after:
            return replayed, refused
        after = slice_.next


def _tell(document: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        show_json(document)
        return
    letter = read(DeadLetterView, document)
    typer.echo(line_of(letter))
    show_facts(
        {
            "organization": letter.organization_id,
            "sequence": letter.epoch,
            **{name: value for name, value in (letter.message or {}).items() if isinstance(value, str | int)},
        }
    )
    for line in fault_lines([problem.model_dump(mode="json") for problem in letter.problems]):
        typer.echo(f"  {line}")
    for act in letter.history:
        typer.echo(f"  {act.act} by {clean(act.by)} at {act.at:%Y-%m-%d %H:%M:%S} UTC")
