"""What arrived, in hashes only: no key and no password is kept."""

from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from certpipe.simulators.sw.bodies import Sent
from certpipe.simulators.sw.certificates import Seen

MOST_RECEIPTS = 100_000
"""Receipts that are kept; the oldest go first."""


@dataclass(frozen=True, slots=True)
class Reception:
    """One bundle that was stored. The password's hash is of its UTF-8 bytes."""

    at: str
    service: str
    kind: str
    rfc: str
    number: str
    certificate: str
    private_key: str
    password: str


class Received:
    """The receipts since the start, or since the last `DELETE /_received`."""

    def __init__(self) -> None:
        self._kept: deque[Reception] = deque()
        self._by_number: Counter[str] = Counter()
        self._total = 0

    def add(self, *, service: str, seen: Seen, sent: Sent, at: datetime) -> None:
        """Note one bundle."""
        if len(self._kept) == MOST_RECEIPTS:
            self._forget(self._kept.popleft())
        self._kept.append(
            Reception(
                at=at.isoformat(),
                service=service,
                kind=seen.kind.value,
                rfc=seen.rfc,
                number=seen.number,
                certificate=seen.sha256,
                private_key=sha256(sent.private_key).hexdigest(),
                password=sha256(sent.password.encode("utf-8", "surrogatepass")).hexdigest(),
            )
        )
        self._by_number[seen.number] += 1
        self._total += 1

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._by_number.clear()
        self._total = 0

    def view(self, number: str | None = None) -> Mapping[str, Any]:
        """The receipts, oldest first, of one certificate number or all.

        `total` counts since the last clearing, `kept` what is still here; `duplicates` is how many of the kept ones
        came again with a number that was here before.
        """
        if number is None:
            items: Sequence[Reception] = tuple(self._kept)
        elif self._by_number[number]:
            items = tuple(one for one in self._kept if one.number == number)
        else:
            items = ()
        return {
            "total": self._total,
            "kept": len(self._kept),
            "duplicates": len(items) - len({one.number for one in items}),
            "items": [_shown(one) for one in items],
        }

    @property
    def total(self) -> int:
        """How many arrived since the last clearing."""
        return self._total

    def _forget(self, reception: Reception) -> None:
        self._by_number[reception.number] -= 1
        if not self._by_number[reception.number]:
            del self._by_number[reception.number]


def _shown(reception: Reception) -> Mapping[str, Any]:
    fields = asdict(reception)
    hashes = {part: fields.pop(part) for part in ("certificate", "private_key", "password")}
    return fields | {"sha256": hashes}
