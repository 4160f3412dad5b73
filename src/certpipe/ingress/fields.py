"""What a body may hold: the names that fields have on the wire, and ours for them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from certpipe.core.ports.dialect import BodyForm, BodyShape

CERTIFICATE, PRIVATE_KEY = "certificate", "private_key"
PASSWORD = "password"  # noqa: S105 - the name of a field, not a password
FILES = frozenset({CERTIFICATE, PRIVATE_KEY})
BUNDLE = FILES | {PASSWORD}
EXTENSIONS: Mapping[str, str] = {CERTIFICATE: ".cer", PRIVATE_KEY: ".key"}


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of one kind of upload. A field that is not named here is refused.

    Attributes:
        names: our name of each name on the wire.
        required: our names of those that must come.
        forms: how the body may be written.
        extensions: whether the names of files must end in `.cer` and `.key`, in any case of letters.
    """

    names: Mapping[str, str]
    required: frozenset[str]
    forms: frozenset[BodyForm] = frozenset(BodyForm)
    extensions: bool = False

    @classmethod
    def native(cls, names: Iterable[str], *, required: frozenset[str]) -> Self:
        """Fields that are called on the wire what they are called here."""
        return cls({name: name for name in names}, required)

    @classmethod
    def of(cls, shape: BodyShape) -> Self:
        """The three parts of a bundle under a dialect's names."""
        names = {shape.certificate: CERTIFICATE, shape.private_key: PRIVATE_KEY, shape.password: PASSWORD}
        return cls(names, BUNDLE, shape.forms, shape.extensions)

    def wire(self, ours: str) -> str:
        """The name on the wire, by which faults are told."""
        return next((wire for wire, name in self.names.items() if name == ours), ours)

    def extension(self, ours: str) -> str | None:
        """What the file's name must end in, if anything."""
        return EXTENSIONS.get(ours) if self.extensions else None
