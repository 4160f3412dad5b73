import hmac
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from certpipe.core.bundle import Bundle
from certpipe.core.errors import Rejected, Unavailable
from certpipe.core.ids import uuid7
from certpipe.core.ports.custody import DataKey
from certpipe.core.problems import INTERNAL
from certpipe.core.uploads import Part, PartBinding, WrappedPart
from certpipe.crypto import envelope
from certpipe.crypto.envelope import EnvelopeUnwrapper, EnvelopeWrapper
from certpipe.crypto.keys.local import LocalKeyProvider
from schemas.status import Actor
from tests.unit.crypto.comparing import members

OLD, NEW = ("wrapping-00000001", 1), ("wrapping-00000001", 2)
FOREIGN = ("wrapping-00000002", 1)
PROVIDER = LocalKeyProvider({OLD: b"1" * 32, NEW: b"2" * 32, FOREIGN: b"3" * 32}, current=NEW)
OTHER_KEY = LocalKeyProvider({OLD: b"1" * 32, NEW: b"2" * 32, FOREIGN: b"3" * 32}, current=FOREIGN)
WRAPPER, UNWRAPPER = EnvelopeWrapper(PROVIDER), EnvelopeUnwrapper(PROVIDER)


async def assert_damaged(parts: tuple[WrappedPart, ...], binding: PartBinding) -> None:
    with pytest.raises(Rejected, match=r"^part_damaged$") as caught:
        await UNWRAPPER.unwrap(parts, binding)
    (problem,) = caught.value.problems
    assert (problem.actor, problem.status) == (Actor.OPERATOR, 500)


async def test_what_was_wrapped_unwraps_in_any_order(bundle: Bundle, part_binding: PartBinding) -> None:
    parts = await WRAPPER.wrap(bundle, part_binding)
    assert members(await UNWRAPPER.unwrap(parts[::-1], part_binding)) == members(bundle)


async def test_empty_parts_are_parts(part_binding: PartBinding) -> None:
    empty = Bundle(certificate=b"", private_key=b"", password="")
    assert members(await UNWRAPPER.unwrap(await WRAPPER.wrap(empty, part_binding), part_binding)) == (b"", b"", "")


async def test_each_part_has_a_data_key_a_nonce_and_a_commitment_of_its_own(
    bundle: Bundle, part_binding: PartBinding
) -> None:
    parts = await WRAPPER.wrap(bundle, part_binding) + await WRAPPER.wrap(bundle, part_binding)
    assert {part.part for part in parts} == set(Part)
    for attribute in ("nonce", "commitment", "wrapped_key", "ciphertext"):
        assert len({getattr(part, attribute) for part in parts}) == 6
    assert {(part.version, len(part.nonce), len(part.commitment)) for part in parts} == {(1, 12, 32)}
    assert {(part.key_id, part.key_version) for part in parts} == {NEW}


async def test_nothing_in_clear_is_left_in_a_record(bundle: Bundle, part_binding: PartBinding) -> None:
    everything = b"|".join(
        value if isinstance(value, bytes) else str(value).encode()
        for part in await WRAPPER.wrap(bundle, part_binding)
        for value in (getattr(part, field.name) for field in fields(part))
    )
    for secret in (bundle.certificate, bundle.private_key, bundle.password.encode()):
        assert secret not in everything


@pytest.mark.parametrize("changed", ["organization_id", "certificate_id"])
async def test_parts_unwrap_for_their_organization_and_certificate_only(
    bundle: Bundle, part_binding: PartBinding, changed: str
) -> None:
    parts = await WRAPPER.wrap(bundle, part_binding)
    await assert_damaged(parts, replace(part_binding, **{changed: uuid7()}))


@pytest.mark.parametrize("field", [field.name for field in fields(WrappedPart)])
@pytest.mark.parametrize("which", range(3))
async def test_a_field_taken_from_another_record_is_noticed(
    bundle: Bundle, part_binding: PartBinding, field: str, which: int
) -> None:
    """The other record holds the same bundle of the same organization, under another certificate and key."""
    ours = await WRAPPER.wrap(bundle, part_binding)
    theirs = await EnvelopeWrapper(OTHER_KEY).wrap(bundle, PartBinding(part_binding.organization_id, uuid7()))
    foreign: Any = getattr(theirs[(which + 1) % 3 if field == "part" else which], field)
    if field == "version":
        foreign = 2
    damaged = replace(ours[which], **{field: foreign})
    assert damaged != ours[which] or field == "key_version"
    if field == "key_version":
        damaged = replace(damaged, key_version=OLD[1])
    await assert_damaged((*ours[:which], damaged, *ours[which + 1 :]), part_binding)


async def test_a_whole_part_of_another_version_of_the_certificate_is_noticed(
    bundle: Bundle, part_binding: PartBinding
) -> None:
    ours = await WRAPPER.wrap(bundle, part_binding)
    theirs = await WRAPPER.wrap(bundle, PartBinding(part_binding.organization_id, uuid7()))
    await assert_damaged((ours[0], ours[1], theirs[2]), part_binding)


async def test_parts_that_swap_their_names_are_noticed(bundle: Bundle, part_binding: PartBinding) -> None:
    certificate, private_key, password = await WRAPPER.wrap(bundle, part_binding)
    swapped = (replace(certificate, part=Part.PRIVATE_KEY), replace(private_key, part=Part.CERTIFICATE), password)
    await assert_damaged(swapped, part_binding)


async def test_missing_and_duplicate_parts_are_noticed(bundle: Bundle, part_binding: PartBinding) -> None:
    parts = await WRAPPER.wrap(bundle, part_binding)
    for broken in ((), parts[:2], parts[1:], (*parts, parts[0]), (parts[0], parts[0], parts[1])):
        await assert_damaged(broken, part_binding)


@pytest.mark.parametrize("field", ["ciphertext", "nonce", "commitment", "wrapped_key"])
async def test_every_flipped_bit_and_every_cut_is_noticed(
    bundle: Bundle, part_binding: PartBinding, field: str
) -> None:
    parts = await WRAPPER.wrap(bundle, part_binding)
    good: Any = getattr(parts[2], field)
    flipped = [
        good[:position] + bytes([good[position] ^ 1 << position % 8]) + good[position + 1 :]
        for position in range(len(good))
    ]
    changes: list[dict[str, Any]] = [{field: bad} for bad in (*flipped, b"", good[:-1], good[:7], good + b"\0")]
    for change in changes:
        await assert_damaged((*parts[:2], replace(parts[2], **change)), part_binding)


async def test_the_commitment_is_compared_before_anything_is_decrypted(
    bundle: Bundle, part_binding: PartBinding, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []

    class Watched:
        def __init__(self, key: bytes) -> None:
            self.real = AESGCM(key)

        def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes) -> bytes:
            steps.append("decrypted")
            return self.real.decrypt(nonce, data, associated_data)

    def compared(left: bytes, right: bytes) -> bool:
        steps.append("compared")
        return left == right

    parts = await WRAPPER.wrap(bundle, part_binding)
    monkeypatch.setattr(envelope, "AESGCM", Watched)
    monkeypatch.setattr(hmac, "compare_digest", compared)
    await UNWRAPPER.unwrap(parts, part_binding)
    assert steps == ["compared", "decrypted"] * 3
    steps.clear()
    await assert_damaged(tuple(replace(part, commitment=bytes(32)) for part in parts), part_binding)
    assert set(steps) == {"compared"}


async def test_records_of_an_older_key_version_unwrap_after_a_rotation(
    bundle: Bundle, part_binding: PartBinding
) -> None:
    before = LocalKeyProvider({OLD: b"1" * 32}, current=OLD)
    parts = await EnvelopeWrapper(before).wrap(bundle, part_binding)
    assert {(part.key_id, part.key_version) for part in parts} == {OLD}
    assert members(await UNWRAPPER.unwrap(parts, part_binding)) == members(bundle)


async def test_a_record_relabelled_to_another_name_of_the_same_key_is_noticed(
    bundle: Bundle, part_binding: PartBinding
) -> None:
    """Key id and version are authenticated, not only used to find the key."""
    twins = LocalKeyProvider({OLD: b"1" * 32, NEW: b"1" * 32, FOREIGN: b"1" * 32}, current=OLD)
    parts = await EnvelopeWrapper(twins).wrap(bundle, part_binding)
    for key_id, key_version in (NEW, FOREIGN):
        relabelled = [replace(part, key_id=key_id, key_version=key_version) for part in parts]
        with pytest.raises(Rejected, match=r"^part_damaged$"):
            await EnvelopeUnwrapper(twins).unwrap(relabelled, part_binding)


async def test_a_missing_wrapping_key_is_the_operators_and_says_so(bundle: Bundle, part_binding: PartBinding) -> None:
    parts = await WRAPPER.wrap(bundle, part_binding)
    restored_without = EnvelopeUnwrapper(LocalKeyProvider({OLD: b"1" * 32}, current=OLD))
    with pytest.raises(Rejected, match=r"^part_damaged$") as caught:
        await restored_without.unwrap(parts, part_binding)
    assert "Restore the key folder" in (caught.value.problems[0].hint or "")


async def test_a_provider_that_is_away_is_no_damage(bundle: Bundle, part_binding: PartBinding) -> None:
    class Away:
        name = "away"

        async def generate(self, context: bytes) -> DataKey:  # noqa: ARG002 - whoever is away looks at nothing
            raise Unavailable(INTERNAL)

        async def unwrap(
            self,
            wrapped: bytes,  # noqa: ARG002 - likewise
            *,
            key_id: str,  # noqa: ARG002 - likewise
            key_version: int,  # noqa: ARG002 - likewise
            context: bytes,  # noqa: ARG002 - likewise
        ) -> bytes:
            raise Unavailable(INTERNAL)

    parts = await WRAPPER.wrap(bundle, part_binding)
    with pytest.raises(Unavailable):
        await EnvelopeWrapper(Away()).wrap(bundle, part_binding)
    with pytest.raises(Unavailable):
        await EnvelopeUnwrapper(Away()).unwrap(parts, part_binding)


def test_the_context_is_ids_and_nothing_else(part_binding: PartBinding) -> None:
    bound_to = envelope.context(part_binding, Part.PASSWORD)
    organization, certificate = part_binding.organization_id, part_binding.certificate_id
    assert bound_to == f"certpipe/part/v1|{organization}|{certificate}|password".encode()


def test_a_local_provider_does_not_print_its_keys(folder: Path) -> None:
    provider = LocalKeyProvider.from_folder(folder)
    (file,) = folder.glob("wrapping-*")
    assert file.read_bytes().hex() not in repr(provider)
    assert repr(file.read_bytes()) not in repr(provider) + repr(vars(provider))
