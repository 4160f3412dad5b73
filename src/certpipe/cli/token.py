"""`certpipe token`: a token of the development identity that `make up` made."""

from datetime import timedelta
from typing import Annotated

import typer

from certpipe.cli.failure import CommandError
from certpipe.cli.options import Json
from certpipe.cli.show import show_json
from certpipe.core.clock import SystemClock
from certpipe.development.identity import Identity
from certpipe.settings import Environment, Settings

FOLDER = "identity"
MOST_SUBJECT = 255


def token(
    *,
    subject: Annotated[str, typer.Option("--subject", metavar="WHO", help="Whom it speaks for.")] = "developer",
    operator: Annotated[bool, typer.Option("--operator", help="It may also do what operators do.")] = False,
    minutes: Annotated[int, typer.Option("--minutes", min=1, max=60, help="How long it lives.")] = 60,
    as_json: Json = False,
) -> None:
    """Issue a development token and print it; refused when CERTPIPE_ENVIRONMENT=production.

    Example: certpipe token --subject ana > ana.token
    """
    settings = Settings()
    if settings.environment is Environment.PRODUCTION:
        raise CommandError(
            "in production, tokens come from your identity provider.", hint="get one there; CERTPIPE_JWKS names it."
        )
    if not subject.isprintable() or not 1 <= len(subject) <= MOST_SUBJECT:
        raise CommandError(f"a subject has 1 to {MOST_SUBJECT} printable characters.", hint="like --subject ana")
    folder = settings.data_dir / FOLDER
    if not (folder / "signing-key.json").exists():
        raise CommandError(f"{folder} has no signing key yet.", hint="make up makes it.")
    try:
        identity = Identity.open(folder, issuer=settings.jwt_issuer, audience=settings.jwt_audience)
        issued = identity.token(subject, operator=operator, lifetime=timedelta(minutes=minutes))
    except PermissionError as error:
        raise CommandError(f"the signing key cannot be used: {error.strerror or error}.") from error
    except (OSError, ValueError) as error:
        raise CommandError(
            f"{folder / 'signing-key.json'} is damaged.", hint="delete it; make up makes another."
        ) from error
    if as_json:
        expires = SystemClock().now() + timedelta(minutes=minutes)
        show_json({"token": issued, "subject": subject, "operator": operator, "expires_at": expires.isoformat()})
    else:
        typer.echo(issued)
