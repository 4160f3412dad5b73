"""The typed chain: what goes into a stage and what comes out of it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from certpipe.core.problems import Problem
from schemas.base import Kind
from schemas.messages import UploadRef
from schemas.status import CertificateFacts
from schemas.upload import SealFormat


class Part(StrEnum):
    """The three things of a bundle, each under a data key of its own."""

    CERTIFICATE = "certificate"
    PRIVATE_KEY = "private_key"
    PASSWORD = "password"  # noqa: S105 - the name of a part, not a password


@dataclass(frozen=True, slots=True)
class Box:
    """A sealed bundle; `kid` decides who can open it. `ciphertext`: `enc || ct` (hpke) or the ASCII JWE."""

    format: SealFormat
    kid: str
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class BoxBinding:
    """What a box is bound to: it opens for this upload of this organization and for no other."""

    upload_id: UUID
    organization_id: UUID


@dataclass(frozen=True, slots=True)
class PartBinding:
    """What a wrapped part is bound to. A certificate id stands for one stored version."""

    organization_id: UUID
    certificate_id: UUID


@dataclass(frozen=True, slots=True)
class WrappedPart:
    """One part at rest: AES-256-GCM under a data key that only the key provider can unwrap.

    Attributes:
        part: which of the three.
        version: of the envelope format; authenticated.
        ciphertext: ciphertext and tag.
        nonce: 96 bits.
        commitment: 32 bytes derived from the data key; compared before anything is decrypted.
        wrapped_key: the data key as the provider wrapped it.
        key_id: the provider's key that wrapped it.
        key_version: and its version, so that rotation rewraps and touches no ciphertext.
    """

    part: Part
    version: int
    ciphertext: bytes
    nonce: bytes
    commitment: bytes
    wrapped_key: bytes
    key_id: str
    key_version: int


@dataclass(frozen=True, slots=True)
class Received:
    """In of validate. `rfc` is the party's, or None when any will do (a check without a party)."""

    ref: UploadRef
    organization_id: UUID
    kind: Kind | None
    rfc: str | None
    box: Box

    @property
    def binding(self) -> BoxBinding:
        """What the box is bound to."""
        return BoxBinding(self.ref.id, self.organization_id)


@dataclass(frozen=True, slots=True)
class Validated:
    """Out of validate, In of encrypt: proved good."""

    ref: UploadRef
    organization_id: UUID
    box: Box
    facts: CertificateFacts
    warnings: tuple[Problem, ...] = ()

    @property
    def binding(self) -> BoxBinding:
        """What the box is bound to."""
        return BoxBinding(self.ref.id, self.organization_id)


@dataclass(frozen=True, slots=True)
class Encrypted:
    """Out of encrypt, In of persist: three wrapped parts under a new certificate id."""

    ref: UploadRef
    organization_id: UUID
    certificate_id: UUID
    facts: CertificateFacts
    parts: tuple[WrappedPart, ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """Out of persist, In of forward. `open_intents`: destinations that may have got it already.

    `probes`: services that are left alone by all uploads but this one.
    """

    ref: UploadRef
    organization_id: UUID
    certificate_id: UUID
    facts: CertificateFacts
    parts: tuple[WrappedPart, ...]
    open_intents: frozenset[str] = frozenset()
    probes: frozenset[str] = frozenset()

    @property
    def binding(self) -> PartBinding:
        """What the parts are bound to."""
        return PartBinding(self.organization_id, self.certificate_id)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a destination answered. `confirmed_by` is `answer` or `lookup`."""

    destination: str
    at: datetime
    confirmed_by: str
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Forwarded:
    """Out of forward: every destination has it."""

    ref: UploadRef
    receipts: tuple[Receipt, ...]
