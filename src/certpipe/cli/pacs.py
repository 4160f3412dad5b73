"""`certpipe services`: the services of PACs, for operators."""

from typing import Annotated

import typer

from certpipe.cli.options import Json, TokenFile, Url
from certpipe.cli.problems import clean
from certpipe.cli.resources import ask, segment
from certpipe.cli.show import read, show_json
from schemas.services import ServiceList, ServiceState, ServiceView

PATH = "/v1/services"
WORDS = {
    ServiceState.CLOSED: "used",
    ServiceState.OPEN: "left alone",
    ServiceState.HALF_OPEN: "being tried",
}

app = typer.Typer(help="The PACs' services: used, or left alone. For operators.")


@app.callback(invoke_without_command=True)
def list_services(
    context: typer.Context, *, url: Url = None, token_file: TokenFile = None, as_json: Json = False
) -> None:
    """List the PACs' services: whether they are used, since when, why not, and how many uploads wait.

    Example: certpipe services
    """
    if context.invoked_subcommand is not None:
        return
    document = ask("GET", PATH, url, token_file).body
    if as_json:
        show_json(document)
        return
    services = read(ServiceList, document).items
    if not services:
        typer.echo("none yet: no forward process has run.")
    for service in services:
        typer.echo(line_of(service))


@app.command()
def reset(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The service, by its name in the list.")],
    *,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Use a service again at once, after you have mended what was wrong with its account."""
    document = ask("POST", f"{PATH}/{segment(name, 'name')}/reset", url, token_file).body
    if as_json:
        show_json(document)
    else:
        typer.echo(line_of(read(ServiceView, document)))


def line_of(service: ServiceView) -> str:
    """One service in one line; a second one says why it is left alone."""
    line = f"{clean(service.name):<12}  {WORDS[service.state]:<11}  since {_time(service.since)}"
    if service.waiting:
        line += f"  {service.waiting} waiting"
    if service.until is not None:
        line += f"  tried again at {_time(service.until)}"
    if service.state is not ServiceState.CLOSED and service.code:
        line += f"\n    {clean(service.code)}: {clean(service.message_en or '')}"
        if service.hint:
            line += f" ({clean(service.hint)})"
    return line


def _time(instant: object) -> str:
    return f"{instant:%Y-%m-%d %H:%M:%SZ}"
