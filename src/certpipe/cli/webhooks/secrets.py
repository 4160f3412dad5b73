"""Rotating an endpoint's secret."""

from typing import Annotated

import typer

from certpipe.cli.options import Json, TokenFile, Url
from certpipe.cli.resources import ask
from certpipe.cli.webhooks.endpoints import tell_once
from certpipe.cli.webhooks.options import PATH, Endpoint, SecretFile
from certpipe.cli.webhooks.showing import show_endpoint


def rotate(
    endpoint_id: Endpoint,
    *,
    overlap_hours: Annotated[
        int, typer.Option("--overlap-hours", min=0, max=168, help="How long the old secret signs, too.")
    ] = 24,
    secret_file: SecretFile = None,
    url: Url = None,
    token_file: TokenFile = None,
    as_json: Json = False,
) -> None:
    """Give an endpoint a new secret, which is told once, here. Meanwhile deliveries are signed with both.

    Example: certpipe webhooks rotate 0198f4a2-7c1e-7a54-9b0d-3f6f4c1d2e3a --secret-file erp.secret.2
    """
    path = f"{PATH}/{endpoint_id}/rotate"
    document = {"overlap_hours": overlap_hours}
    tell_once(lambda: ask("POST", path, url, token_file, document).body, secret_file, as_json=as_json)


def revoke(endpoint_id: Endpoint, *, url: Url = None, token_file: TokenFile = None, as_json: Json = False) -> None:
    """End the overlap of a rotation now: only the new secret signs."""
    show_endpoint(ask("POST", f"{PATH}/{endpoint_id}/revoke", url, token_file).body, as_json=as_json)
