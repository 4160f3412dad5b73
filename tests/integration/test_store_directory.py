"""Organizations, members, parties and producers are put and got; nobody takes over another's."""

import asyncio

import pytest

from certpipe.core.errors import Rejected
from certpipe.core.ids import uuid7
from certpipe.core.ports.directory import Organization, Party, PartyKind, Producer, Role
from tests.integration.storehouse import storehouse


async def test_an_organization_is_created_with_its_owner_and_changed_without_another(database_url: str) -> None:
    async with storehouse(database_url) as house:
        organization = Organization(uuid7(), "ÑAÑ010101AB1", "Ñandú & Compañía")
        assert await house.directory.put_organization(organization, owner="ana")
        assert await house.directory.organization(organization.id) == organization
        renamed = Organization(organization.id, organization.rfc, "Ñandú")
        assert not await house.directory.put_organization(renamed, owner="eve")
        assert await house.directory.organization(organization.id) == renamed
        assert await house.directory.roles("ana") == {organization.id: Role.OWNER}
        assert await house.directory.roles("eve") == {}
        assert await house.directory.organizations("ana") == [renamed]
        assert await house.directory.organization(uuid7()) is None


async def test_a_subject_may_belong_to_several_organizations(database_url: str) -> None:
    async with storehouse(database_url) as house:
        second = Organization(uuid7(), "XAXX010101000", "Second")
        await house.directory.put_organization(second, owner="owner")
        assert set(await house.directory.roles("owner")) == {house.organization.id, second.id}
        assert await house.directory.organizations("owner") == [house.organization, second]


async def test_a_party_is_created_changed_and_listed(database_url: str) -> None:
    async with storehouse(database_url) as house:
        party = Party(uuid7(), house.organization.id, PartyKind.BRANCH, "XAXX010101000", "Branch")
        assert await house.directory.put_party(party)
        changed = Party(party.id, party.organization_id, PartyKind.ORGANIZATION, "XEXX010101000", "Changed\0")
        assert not await house.directory.put_party(changed)
        found = await house.directory.party(party.id)
        assert found is not None
        assert (found.kind, found.rfc) == (PartyKind.ORGANIZATION, "XEXX010101000")
        assert found.name == "Changed\N{REPLACEMENT CHARACTER}"
        assert await house.directory.parties([house.organization.id, uuid7()]) == [house.party, found]
        assert await house.directory.parties([]) == []
        assert await house.directory.party(uuid7()) is None


async def test_a_party_of_another_organization_is_not_found_and_not_changed(database_url: str) -> None:
    async with storehouse(database_url) as house:
        other = Organization(uuid7(), "XAXX010101000", "Other")
        await house.directory.put_organization(other, owner="other")
        for organization_id in (other.id, uuid7()):
            stolen = Party(house.party.id, organization_id, PartyKind.BRANCH, "XAXX010101000", "Stolen")
            with pytest.raises(Rejected, match="target_not_found"):
                await house.directory.put_party(stolen)
        with pytest.raises(Rejected, match="target_not_found"):
            await house.directory.put_party(Party(uuid7(), uuid7(), PartyKind.BRANCH, "XAXX010101000", "Nobody's"))
        assert await house.directory.party(house.party.id) == house.party


async def test_a_producer_publishes_for_one_organization(database_url: str) -> None:
    async with storehouse(database_url) as house:
        producer = Producer("erp", house.organization.id, may_send_clear=False)
        await house.directory.put_producer(producer)
        assert await house.directory.producer("erp") == producer
        allowed = Producer("erp", house.organization.id, may_send_clear=True)
        await house.directory.put_producer(allowed)
        assert await house.directory.producer("erp") == allowed
        assert await house.directory.producer("other") is None
        with pytest.raises(Rejected, match="target_not_found"):
            await house.directory.put_producer(Producer("stray", uuid7(), may_send_clear=False))


async def test_parties_that_are_asked_for_together_are_told_apart(database_url: str) -> None:
    async with storehouse(database_url) as house:
        known = [
            Party(uuid7(), house.organization.id, PartyKind.BRANCH, "XAXX010101000", f"Branch {number}")
            for number in range(100)
        ]
        for party in known:
            await house.directory.put_party(party)
        asked = [*known, None, *known[:3]]
        found = await asyncio.gather(*(house.directory.party(party.id if party else uuid7()) for party in asked))
        assert found == asked
