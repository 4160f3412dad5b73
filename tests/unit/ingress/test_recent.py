"""The directory, remembered for a second."""

from certpipe.core.ids import uuid7
from certpipe.core.ports.directory import Organization, Party, PartyKind, Producer, Role
from certpipe.ingress.recent import RecentDirectory
from tests.fakes import HandClock, MemoryDirectory


class Known:
    """A directory with one of each, and its memory."""

    def __init__(self) -> None:
        self.below, self.clock = MemoryDirectory(), HandClock()
        self.organization = Organization(uuid7(), "EKU9003173C9", "Kemper")
        self.party = Party(uuid7(), self.organization.id, PartyKind.ENTRY, "EKU9003173C9", "Kemper")
        self.below.members["olivia"] = {self.organization.id: Role.OWNER}
        self.below.known_parties[self.party.id] = self.party
        self.directory = RecentDirectory(self.below, self.clock)


async def test_what_was_just_asked_is_not_asked_again_for_a_second() -> None:
    known = Known()
    for _ in range(5):
        assert await known.directory.roles("olivia") == {known.organization.id: Role.OWNER}
        assert await known.directory.party(known.party.id) == known.party
    assert known.below.questions == 2
    known.clock.advance(1)
    await known.directory.roles("olivia")
    assert known.below.questions == 3


async def test_a_membership_that_was_taken_away_counts_for_a_second_at_most() -> None:
    known = Known()
    await known.directory.roles("olivia")
    known.below.members.clear()
    known.clock.advance(1)
    assert await known.directory.roles("olivia") == {}


async def test_what_does_not_exist_is_not_remembered() -> None:
    known = Known()
    assert await known.directory.producer("erp") is None
    known.below.producers["erp"] = Producer("erp", known.organization.id, may_send_clear=False)
    assert await known.directory.producer("erp") is not None


async def test_a_change_through_this_directory_counts_at_once() -> None:
    known, other = Known(), Organization(uuid7(), "EKU9003173C9", "Otra")
    await known.directory.roles("olivia")
    await known.directory.put_organization(other, owner="olivia")
    assert other.id in await known.directory.roles("olivia")
    moved = Party(known.party.id, known.organization.id, PartyKind.ENTRY, "XAXX010101000", "Kemper")
    await known.directory.party(known.party.id)
    await known.directory.put_party(moved)
    assert await known.directory.party(known.party.id) == moved
    await known.directory.put_producer(Producer("erp", other.id, may_send_clear=False))
    await known.directory.producer("erp")
    await known.directory.put_producer(Producer("erp", other.id, may_send_clear=True))
    producer = await known.directory.producer("erp")
    assert producer is not None
    assert producer.may_send_clear
