"""A destination: a PAC, or SW Sapien's Efisco."""

from typing import Protocol

from certpipe.core.bundle import Bundle
from certpipe.core.uploads import Receipt
from schemas.base import Kind
from schemas.status import CertificateFacts


class Connector(Protocol):
    """One destination. It never retries, never loops over attempts, and never parses prose.

    Where its account was refused it remembers that for a while, and asks nothing meanwhile.
    """

    name: str

    def takes(self, kind: Kind, /) -> bool:
        """Whether certificates of that kind go there."""

    async def send(self, bundle: Bundle, facts: CertificateFacts, /) -> Receipt:
        """Hand it over. Raises `Rejected` (the PAC said no), `Unavailable` (it did not happen) or `Uncertain`."""

    async def find(self, facts: CertificateFacts, /) -> Receipt | None:
        """Look whether it is there already; None when it is not. Raises `Unavailable` when that cannot be told."""

    def forget_refusal(self) -> None:
        """The account is taken again, or the operator says so: the next who comes asks anew."""
