"""What to do about an attempt that was not taken, for who looks after the receiver."""

from collections.abc import Mapping
from http import HTTPStatus

from schemas.webhooks import AttemptView

_VERIFIES = "does the receiver verify by this endpoint's newest secret, over the raw body?"
_PATH = "look at the path of the endpoint's address, and whether a POST may go there."
_OURS = "the fault is certpipe's: tell its operator."
BY_STATUS: Mapping[int, str] = {
    HTTPStatus.UNAUTHORIZED: _VERIFIES,
    HTTPStatus.FORBIDDEN: _VERIFIES,
    HTTPStatus.NOT_FOUND: _PATH,
    HTTPStatus.METHOD_NOT_ALLOWED: _PATH,
    HTTPStatus.GONE: "410 disables the endpoint; certpipe webhooks enable ID starts it anew.",
    HTTPStatus.TOO_MANY_REQUESTS: "the receiver asks for a pause.",
}
BY_ERROR: Mapping[str, str] = {
    "status": "only 2xx counts: look at the receiver's log.",
    "redirect": "none is followed: certpipe webhooks change ID --address, with where it leads to.",
    "timeout": "let the receiver answer first, and do its work afterwards.",
    "connection_refused": "nobody listens there: does the receiver run, at this very port?",
    "unreachable": "no way leads there from certpipe: look at the address, and at the firewall.",
    "disconnected": "the receiver broke off: look at its log.",
    "name_not_found": "look for a typing error in the name of the endpoint's address.",
    "tls": "the receiver needs a certificate that public authorities vouch for, with all between.",
    "bad_answer": "what answers there does not speak HTTP: look at the port.",
    "forbidden_address": "the name leads into a network that webhooks may not reach; the operator may allow it.",
    "key_unavailable": _OURS,
    "internal": _OURS,
}


def advice(attempt: AttemptView) -> str | None:
    """What helps, where something does."""
    by_status = BY_STATUS.get(attempt.status or 0) if attempt.error == "status" else None
    return by_status or BY_ERROR.get(attempt.error or "")
