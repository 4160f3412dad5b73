"""What is printed: JSON for programs, lines for people."""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from certpipe.cli.failure import CommandError, ExitCode
from certpipe.cli.problems import clean, fault_lines
from schemas.status import State, UploadStatus

Model = TypeVar("Model", bound=BaseModel)


def read(model: type[Model], document: Mapping[str, Any]) -> Model:
    """The document as that contract; members that a newer server added are passed over."""
    try:
        return model.model_validate(document, extra="ignore")
    except ValidationError as error:
        raise CommandError(
            "the server's answer makes no sense to this version.",
            hint="look at the versions: certpipe --version, here and there.",
            exit_code=ExitCode.UNREACHABLE,
        ) from error


def show_json(document: object, *, indent: int | None = 2) -> None:
    """Print a document on standard output."""
    typer.echo(json.dumps(document, ensure_ascii=False, indent=indent, default=str))


def show_facts(facts: Mapping[str, object]) -> None:
    """Name and value, one a line, aligned; what is missing is left out."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        if value not in {None, ""}:
            typer.echo(f"  {name:<{width}}  {clean(value)}")


def verdict(state: State) -> ExitCode:
    """What the shell is told of a state: an end that is not `forwarded` is a no."""
    bad = {State.REJECTED, State.FAILED, State.SUPERSEDED}
    return ExitCode.NO if state in bad else ExitCode.FINE


def show_upload(upload: UploadStatus) -> None:
    """Everything about one upload, for people."""
    good, facts = verdict(upload.state) is ExitCode.FINE, upload.certificate
    mark = ("✓" if upload.ended else "…") if good else "✗"
    typer.echo(f"{mark} {upload.state}  {upload.kind.upper()}  {clean(facts.rfc or '') if facts else ''}".rstrip())
    show_facts(
        {
            "upload": upload.id,
            "party": upload.party_id,
            "certificate": upload.certificate_id,
            "number": facts and facts.number,
            "name": facts and facts.legal_name,
            "valid": facts and facts.valid_to and f"{facts.valid_from:%Y-%m-%d} to {facts.valid_to:%Y-%m-%d}",
            "received": f"{upload.created_at:%Y-%m-%d %H:%M:%S} UTC",
            "next try": upload.next_attempt_at and f"{upload.next_attempt_at:%Y-%m-%d %H:%M:%S} UTC",
        }
    )
    for receipt in upload.receipts:
        typer.echo(f"  taken by {clean(receipt.destination)}, confirmed by {clean(receipt.confirmed_by)}")
    for title, faults in (("problems", upload.problems), ("warnings", upload.warnings)):
        if faults:
            typer.echo(f"  {title}:")
            for line in fault_lines([fault.model_dump(mode="json") for fault in faults]):
                typer.echo(f"  {line}")
