"""The one way in, over ports in memory, with two organizations that must never see each other."""

from dataclasses import dataclass, field
from uuid import UUID

from certpipe.core.bundle import Bundle
from certpipe.core.ids import uuid7
from certpipe.core.ports.directory import Organization, Party, PartyKind, Producer, Role
from certpipe.ingress.intake import IntakeService
from certpipe.ingress.submission import Submission
from schemas.base import Kind
from tests.fakes import MemoryDirectory, MemoryDispatcher, MemoryStore, PlainSealer

PASSWORD = "12345678a"


@dataclass
class Scene:
    """`olivia` and the producer `erp` belong to `organization`; `party` is its, `foreign` is another's."""

    store: MemoryStore = field(default_factory=MemoryStore)
    directory: MemoryDirectory = field(default_factory=MemoryDirectory)
    dispatcher: MemoryDispatcher = field(default_factory=MemoryDispatcher)
    organization: UUID = field(default_factory=uuid7)
    party: UUID = field(default_factory=uuid7)
    foreign: UUID = field(default_factory=uuid7)
    limit: int = 100
    organization_limit: int = 50

    def __post_init__(self) -> None:
        other = uuid7()
        for organization, party in ((self.organization, self.party), (other, self.foreign)):
            self.directory.known[organization] = Organization(organization, "EKU9003173C9", "Kemper")
            self.directory.known_parties[party] = Party(party, organization, PartyKind.ENTRY, "EKU9003173C9", "Kemper")
        self.directory.members = {"olivia": {self.organization: Role.MEMBER}, "zoe": {other: Role.OWNER}}
        self.directory.producers = {
            "erp": Producer("erp", self.organization, may_send_clear=False),
            "old-erp": Producer("old-erp", self.organization, may_send_clear=True),
        }

    @property
    def service(self) -> IntakeService:
        return IntakeService(
            self.store,
            self.directory,
            PlainSealer(),
            self.dispatcher,
            self.store,
            b"k" * 32,
            self.limit,
            self.organization_limit,
        )

    def submission(self, *, party: UUID | None = None, password: str = PASSWORD, kind: Kind = Kind.CSD) -> Submission:
        return Submission(bundle(password=password), party or self.party, kind)


def bundle(*, certificate: bytes = b"cer", private_key: bytes = b"key", password: str = PASSWORD) -> Bundle:
    return Bundle(certificate=certificate, private_key=private_key, password=password)
