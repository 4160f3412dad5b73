"""Headers of webhooks that are not their owner's to set: the sender's own, and what is of one connection alone."""

from typing import Final

# RFC 9110, 7.6.1: what is between a client and the next server.
NAMES: Final = frozenset(
    {"accept-encoding", "connection", "content-encoding", "content-length", "content-type", "cookie", "date", "expect"}
    | {"host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "user-agent"}
)
FAMILIES: Final = ("proxy-", "webhook-")


def is_reserved(name: str) -> bool:
    """Whether a header cannot be set."""
    lower = name.lower()
    return lower in NAMES or lower.startswith(FAMILIES)
