"""Who can seal, open, wrap and unwrap: four ports, so that no process holds more than it must."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from certpipe.core.bundle import Bundle
from certpipe.core.uploads import Box, BoxBinding, PartBinding, WrappedPart


class Sealer(Protocol):
    """The public half: whoever holds it can seal and can open nothing."""

    def seal(self, bundle: Bundle, binding: BoxBinding, /) -> Box:
        """Seal to the current intake key."""


class Opener(Protocol):
    """The private half."""

    def open(self, box: Box, binding: BoxBinding, /) -> Bundle:
        """Open, or raise `Rejected` (unknown key id, damaged, bound to something else, not a bundle inside)."""


@dataclass(frozen=True, slots=True)
class DataKey:
    """A fresh data key, in clear and wrapped. The clear half lives for one encryption."""

    plaintext: bytes = field(repr=False)
    wrapped: bytes = field(repr=False)
    key_id: str
    key_version: int


class KeyProvider(Protocol):
    """Wraps data keys. `context` is authenticated and must be the same at both ends."""

    name: str

    async def generate(self, context: bytes) -> DataKey:
        """A fresh 32-byte data key under the current version of the current key. Raises `Unavailable`."""

    async def unwrap(self, wrapped: bytes, *, key_id: str, key_version: int, context: bytes) -> bytes:
        """The data key. Raises `Unavailable` when the provider is away, `Rejected` when key or context is wrong."""


class Wrapper(Protocol):
    """What the encrypt stage holds."""

    async def wrap(self, bundle: Bundle, binding: PartBinding, /) -> tuple[WrappedPart, ...]:
        """Each of the three parts under a data key of its own."""


class Unwrapper(Protocol):
    """What the forward stage holds."""

    async def unwrap(self, parts: Sequence[WrappedPart], binding: PartBinding, /) -> Bundle:
        """The bundle again. Raises `Rejected` when a part is missing, damaged, or bound to something else."""
