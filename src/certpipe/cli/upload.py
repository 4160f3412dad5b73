"""`certpipe upload`: submit a bundle, and see how it goes."""

import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from uuid import UUID

import aiohttp
import typer

from certpipe.cli.client import Answer, open_client
from certpipe.cli.connection import Connection, connect
from certpipe.cli.failure import CommandError, ExitCode
from certpipe.cli.files import is_terminal, read_bytes, read_password
from certpipe.cli.following import tell_how_it_goes
from certpipe.cli.options import Json, PasswordFile, PasswordStdin, TokenFile, Url, run
from certpipe.cli.show import show_json
from certpipe.core.hygiene import leave_no_core
from certpipe.sat import kind as kind_of
from certpipe.sat.certificate import read as read_certificate
from certpipe.sat.der import DerError
from certpipe.sat.forms import Form, sniff
from schemas.base import Kind

PATIENT = 120.0


@dataclass(frozen=True, slots=True)
class Submission:
    """What goes to the server; never printed whole."""

    certificate: bytes = field(repr=False)
    private_key: bytes = field(repr=False)
    password: str = field(repr=False)
    party_id: str
    kind: Kind
    idempotency_key: str

    def form(self) -> aiohttp.FormData:
        """As multipart; file names are ours, for a path may name a person."""
        form = aiohttp.FormData()
        form.add_field("kind", self.kind.value)
        form.add_field("party_id", self.party_id)
        form.add_field("password", self.password)
        binary = "application/octet-stream"
        form.add_field("certificate", self.certificate, filename="certificate.cer", content_type=binary)
        form.add_field("private_key", self.private_key, filename="private_key.key", content_type=binary)
        return form


def upload(
    certificate: Annotated[Path, typer.Argument(metavar="CER", help="The certificate (.cer).")],
    private_key: Annotated[Path, typer.Argument(metavar="KEY", help="The private key (.key).")],
    *,
    party: Annotated[
        UUID | None, typer.Option("--party", metavar="ID", help="Whose it is; else the demo's party of that kind.")
    ] = None,
    kind: Annotated[Kind | None, typer.Option("--kind", help="Else what the certificate says of itself.")] = None,
    password_stdin: PasswordStdin = False,
    password_file: PasswordFile = None,
    idempotency_key: Annotated[
        str | None, typer.Option("--idempotency-key", metavar="KEY", help="The same key again is the same upload.")
    ] = None,
    wait: Annotated[
        float, typer.Option("--wait", metavar="SECONDS", min=0, help="How long to wait for the end.")
    ] = PATIENT,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait: print the id.")] = False,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Submit a certificate, its private key and its password, and wait for the end.

    The password is asked for, or comes by --password-stdin or --password-file; it is never an argument.

    Example: certpipe upload firma.cer firma.key --kind fiel
    """
    leave_no_core()
    connection = connect(url, token_file)
    cer, key = read_bytes(certificate, "certificate"), read_bytes(private_key, "private key")
    known = kind or _kind_of(cer, key)
    submission = Submission(
        certificate=cer,
        private_key=key,
        party_id=_party(party, known, connection),
        kind=known,
        password=read_password(from_stdin=password_stdin, file=password_file),
        idempotency_key=_key(idempotency_key),
    )
    run(_submit(connection, submission, seconds=None if no_wait else wait, as_json=as_json))


async def _submit(connection: Connection, submission: Submission, *, seconds: float | None, as_json: bool) -> None:
    async with open_client(connection) as client:
        try:
            answer = await client.post(
                "/v1/uploads", submission.form(), {"Idempotency-Key": submission.idempotency_key}
            )
        except CommandError as error:
            if error.exit_code is ExitCode.UNREACHABLE:
                again = f"If it may have arrived, run it again with --idempotency-key {submission.idempotency_key}."
                error.hint = f"{error.hint} {again}" if error.hint else again
            raise
        upload_id = _upload_id(answer)
        if seconds is not None:
            await tell_how_it_goes(client, upload_id, seconds=seconds, as_json=as_json, each=False)
        elif as_json:
            show_json(answer.body)
        else:
            typer.echo(str(upload_id))


def _upload_id(answer: Answer) -> UUID:
    try:
        return UUID(str(answer.body.get("id")))
    except ValueError as error:
        raise CommandError(
            "the server took it and did not say under which id.",
            hint="certpipe status lists the uploads.",
            exit_code=ExitCode.UNREACHABLE,
        ) from error


def _party(party: UUID | None, kind: Kind, connection: Connection) -> str:
    known: Mapping[str, str] = connection.parties
    found = str(party) if party else known.get(kind.value)
    if not found:
        raise CommandError("whose certificate is it?", hint="give --party ID; certpipe party list shows yours.")
    return found


def _kind_of(*files: bytes) -> Kind:
    """What the certificate says of itself (in whichever file it is), else what the caller says."""
    for file in files:
        found = sniff(file, frozenset({Form.CERTIFICATE}))
        try:
            told = kind_of.tell(read_certificate(found.der)) if found.form is Form.CERTIFICATE else None
        except DerError:
            continue
        if told:
            return told
    if not is_terminal(sys.stdin):
        raise CommandError(
            "is it an e.firma or a CSD? The certificate does not say.", hint="give --kind fiel or --kind csd."
        )
    return Kind(typer.prompt("¿e.firma (fiel) o sello (csd)? / which kind", type=Kind))


def _key(given: str | None) -> str:
    if given is None:
        return secrets.token_urlsafe(18)
    if not (given.isascii() and given.isprintable()) or not 1 <= len(given) <= 255:  # noqa: PLR2004 - said below
        raise CommandError("an idempotency key has 1 to 255 printable ASCII characters.", hint="a UUID is a good one.")
    return given
