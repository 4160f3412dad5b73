"""An endpoint, told to a person."""

from collections.abc import Mapping
from typing import Any

import typer

from certpipe.cli.problems import clean
from certpipe.cli.show import read, show_facts, show_json
from schemas.webhooks import WebhookView


def show_endpoint(document: Mapping[str, Any], *, as_json: bool) -> None:
    """Everything about one endpoint but its secret."""
    if as_json:
        show_json({name: value for name, value in document.items() if name != "secret"})
        return
    endpoint = read(WebhookView, document)
    typer.echo(f"{mark(endpoint)} {standing(endpoint)}  {clean(endpoint.url)}")
    show_facts(
        {
            "endpoint": endpoint.id,
            "organization": endpoint.organization_id,
            "events": ", ".join(endpoint.types) if endpoint.types else "every one",
            "description": endpoint.description,
            "headers": ", ".join(endpoint.headers),
            "public key": endpoint.public_key,
            "created": f"{endpoint.created_at:%Y-%m-%d %H:%M:%S} UTC",
            "failures": endpoint.failures or None,
            "failing since": endpoint.failing_since and f"{endpoint.failing_since:%Y-%m-%d %H:%M:%S} UTC",
            "paused until": endpoint.paused_until and f"{endpoint.paused_until:%Y-%m-%d %H:%M:%S} UTC",
            "old secret until": endpoint.previous_secret_until
            and f"{endpoint.previous_secret_until:%Y-%m-%d %H:%M:%S} UTC",
        }
    )


def mark(endpoint: WebhookView) -> str:
    """Whether it gets what it is to get."""
    if not endpoint.enabled:
        return "✗"
    return "!" if endpoint.failures else "✓"


def standing(endpoint: WebhookView) -> str:
    """How it stands, in a word or two."""
    if not endpoint.enabled:
        return f"disabled ({endpoint.disabled_because})" if endpoint.disabled_because else "disabled"
    return "failing" if endpoint.failures else "enabled"
