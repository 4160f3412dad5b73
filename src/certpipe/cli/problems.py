"""A server's problem document, told to a person."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from certpipe.cli.failure import CommandError, ExitCode

HINTS: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: "give a valid token (--token-file, CERTPIPE_TOKEN); in development, `make up` renews it.",
    HTTPStatus.FORBIDDEN: "the token's subject may not do that; ask an owner or an operator.",
    HTTPStatus.NOT_FOUND: "look at the id, and at whose token this is: what is another organization's is unknown.",
    HTTPStatus.SERVICE_UNAVAILABLE: "try again a little later.",
    HTTPStatus.TOO_MANY_REQUESTS: "try again a little later.",
}
HINTS_BY_CODE: Mapping[str, str] = {
    "idempotency_in_flight": "the first request with that key still runs; try again in a moment.",
    "endpoint_disabled": "certpipe webhooks enable ID starts it anew.",
    "endpoint_exists": "certpipe webhooks change ID changes it, and rotate ID gives it a secret that you know.",
    "rotation_in_progress": "certpipe webhooks revoke ID ends the overlap now.",
}


def refusal(status: int, document: Mapping[str, Any], retry_after: str | None) -> CommandError:
    """What the server refused, in both languages where it gave both, with every fault on a line of its own."""
    code = clean(document.get("code") or "")
    about = f"(HTTP {status}{', ' + code if code else ''})"
    faults = document.get("errors")
    lines = fault_lines(faults if isinstance(faults, list) else [])
    if lines:
        lines.insert(0, f"el servidor no lo aceptó / the server refused it {about}:")
    else:
        words = dict.fromkeys(clean(document[name]) for name in ("detail", "title") if document.get(name))
        lines.append(f"{' / '.join(words) or 'the server refused it'} {about}")
    hint = HINTS_BY_CODE.get(code) or HINTS.get(status)
    if retry_after and retry_after.isdigit():
        hint = f"try again in {retry_after} seconds."
    away = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS
    return CommandError(
        "\n".join(lines),
        hint=hint,
        exit_code=ExitCode.UNREACHABLE if away else ExitCode.WRONG_USE,
        document=document,
    )


def fault_lines(faults: Sequence[Any]) -> list[str]:
    """One fault: Spanish, English, its code and field, the provider's own words, what helps."""
    lines = []
    for fault in faults:
        if not isinstance(fault, Mapping):
            continue
        about = ", ".join(clean(fault[name]) for name in ("code", "field") if fault.get(name))
        lines.append(f"  ✗ {clean(fault.get('message_es') or '')} [{about}]")
        lines.append(f"    {clean(fault.get('message_en') or '')}")
        spoken = " ".join(clean(fault[name]) for name in ("provider_code", "provider_message") if fault.get(name))
        if spoken:
            lines.append(f"    PAC: {spoken}")
        if fault.get("hint"):
            lines.append(f"    → {clean(fault['hint'])}")
    return lines


def clean(text: object) -> str:
    """Text of others as a terminal may see it: no control characters, one line, of bearable length."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text)[:1_000])
