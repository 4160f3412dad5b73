"""Tickets: what a client that can send no header, such as a browser's EventSource, shows in place of its token."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from certpipe.core.clock import Clock
from certpipe.core.ports.webhooks import Tickets
from schemas.webhooks import TicketView

LIFETIME = timedelta(seconds=30)
_BYTES = 32
_CHARACTERS = 43


@dataclass(frozen=True, slots=True)
class TicketOffice:
    """Issues tickets and takes them back, each once. What is kept of one opens nothing."""

    tickets: Tickets
    clock: Clock

    async def issue(self, subject: str) -> TicketView:
        """One for `subject`. Raises `Unavailable`."""
        ticket, now = secrets.token_urlsafe(_BYTES), self.clock.now()
        expires_at = now + LIFETIME
        await self.tickets.issue(_digest(ticket), subject, now=now, expires_at=expires_at)
        return TicketView(ticket=ticket, expires_at=expires_at)

    async def take(self, ticket: str) -> str | None:
        """Whom it was issued to; None when it is no ticket, not one any more, or was taken before."""
        if len(ticket) != _CHARACTERS or not ticket.isascii():
            return None
        return await self.tickets.take(_digest(ticket), now=self.clock.now())


def _digest(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode()).digest()
