"""What may be asked of webhook endpoints, beyond the shapes of their contracts. Pure."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from certpipe.core.problems import Problem
from certpipe.core.webhook_headers import FAMILIES, NAMES, is_reserved
from certpipe.ingress.form import echo
from certpipe.ingress.problems import INVALID_FIELD, NOT_FOUND
from certpipe.ingress.refusal import RefusedError
from schemas.webhooks import ReplayBody, WebhookView

RESERVED_HEADER = Problem(
    "reserved_header",
    "Esta cabecera la escribe certpipe y no se puede fijar",
    "This header is written by certpipe and cannot be set",
    hint=f"Leave it out, as well as {', '.join(f'{each}*' for each in FAMILIES)} and {', '.join(sorted(NAMES))}",
    status=422,
)
HEADER_TWICE = Problem(
    "duplicate_header",
    "La cabecera está repetida: en sus nombres no cuentan las mayúsculas",
    "This header is there twice: capitals make no difference in its name",
    hint="Send each header once",
    status=422,
)
HEADERS_ANEW = Problem(
    "headers_needed",
    "Al cambiar la dirección hay que enviar de nuevo las cabeceras: sus valores no pasan a otro destino",
    "A new address needs the headers again: their values are not passed on to another receiver",
    field="headers",
    hint="Send `headers` with `url`; an empty object for none",
    status=422,
)
NO_ENDPOINT = replace(NOT_FOUND, hint="None of your organizations has such a webhook; GET /v1/webhooks lists them")
ENDPOINT_EXISTS = Problem(
    "endpoint_exists",
    "La organización ya tiene un webhook en esta dirección",
    "The organization has an endpoint at this address",
    field="url",
    status=409,
)
ENDPOINT_DISABLED = Problem(
    "endpoint_disabled",
    "El webhook está deshabilitado: nada se le envía",
    "The endpoint is disabled: nothing is sent to it",
    hint="PATCH it with `enabled: true` first",
    status=409,
)
ONE_OF_TWO = Problem(
    "invalid_replay",
    "Indique qué reenviar: lo fallido, o lo ocurrido desde una fecha",
    "Say what to send again: what failed, or what happened since a time",
    hint="Send either `failed: true`, or `since`, with or without `until`",
    status=422,
)
EMPTY_RANGE = replace(
    INVALID_FIELD,
    message_es="La fecha inicial no es anterior a la final, ni a este momento",
    message_en="The time does not begin before it ends, or before now",
    field="since",
    hint="Send a `since` that lies in the past, and before `until`",
    status=422,
)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


def header_faults(headers: Mapping[str, str]) -> list[Problem]:
    """Which of them cannot be set, by their names alone."""
    found, seen = [], set[str]()
    for name in headers:
        lower, field = name.lower(), f"headers.{echo(name)}"
        if is_reserved(name):
            found.append(RESERVED_HEADER.about(field))
        elif lower in seen:
            found.append(HEADER_TWICE.about(field))
        seen.add(lower)
    return found


def exists(other: WebhookView) -> RefusedError:
    """Told of an endpoint that has the address already; it is named, so that nobody has to look for it."""
    hint = f"It is {other.id}: PATCH changes it, and POST …/rotate gives it a secret that you know"
    return RefusedError(replace(ENDPOINT_EXISTS, hint=hint), headers={"Location": place_of(other)})


def place_of(endpoint: WebhookView) -> str:
    """Its address in this API."""
    return f"/v1/webhooks/{endpoint.id}"


def replayed_time(body: ReplayBody, now: datetime) -> tuple[datetime, datetime] | None:
    """From when until when, the past alone; None: all that failed. Raises `RefusedError` when it is neither."""
    if body.failed == (body.since is not None) or (body.failed and body.until is not None):
        raise RefusedError(ONE_OF_TWO)
    if body.since is None:
        return None
    since, until = max(body.since, EARLIEST), min(body.until or now, now)
    if since >= until:
        raise RefusedError(EMPTY_RANGE)
    return since, until
