"""What every key provider promises; each of the registry passes this suite."""

from collections.abc import Callable
from pathlib import Path

import pytest

from certpipe.core.errors import Rejected
from certpipe.core.ports.custody import KeyProvider
from certpipe.crypto.keymaking import init_keys
from certpipe.crypto.keys import PROVIDERS

CONTEXT = b"certpipe/part/v1|organization|certificate|password"


@pytest.fixture(params=PROVIDERS.items(), ids=lambda item: str(item[0]))
def provider(request: pytest.FixtureRequest, tmp_path: Path) -> KeyProvider:
    name, make = request.param
    made = _made(make, tmp_path)
    assert made.name == name
    return made


def _made(make: Callable[[Path], KeyProvider], folder: Path) -> KeyProvider:
    init_keys(folder)
    return make(folder)


async def test_a_data_key_unwraps_to_itself(provider: KeyProvider) -> None:
    key = await provider.generate(CONTEXT)
    assert len(key.plaintext) == 32
    again = await provider.unwrap(key.wrapped, key_id=key.key_id, key_version=key.key_version, context=CONTEXT)
    assert again == key.plaintext


async def test_an_empty_and_a_long_context_are_contexts(provider: KeyProvider) -> None:
    for context in (b"", CONTEXT * 20):
        key = await provider.generate(context)
        again = await provider.unwrap(key.wrapped, key_id=key.key_id, key_version=key.key_version, context=context)
        assert again == key.plaintext


async def test_no_two_data_keys_are_alike(provider: KeyProvider) -> None:
    keys = [await provider.generate(CONTEXT) for _ in range(50)]
    assert len({key.plaintext for key in keys}) == len({key.wrapped for key in keys}) == 50


async def test_keys_have_an_id_and_a_version_from_day_one(provider: KeyProvider) -> None:
    key = await provider.generate(CONTEXT)
    assert key.key_id
    assert key.key_version >= 1


async def test_a_data_key_does_not_print_itself(provider: KeyProvider) -> None:
    key = await provider.generate(CONTEXT)
    assert repr(key.plaintext) not in repr(key)
    assert key.plaintext.hex() not in repr(key)
    assert key.plaintext not in key.wrapped


@pytest.mark.parametrize("context", [b"", CONTEXT[:-1], CONTEXT + b"|", CONTEXT.upper()])
async def test_another_context_is_rejected(provider: KeyProvider, context: bytes) -> None:
    key = await provider.generate(CONTEXT)
    with pytest.raises(Rejected):
        await provider.unwrap(key.wrapped, key_id=key.key_id, key_version=key.key_version, context=context)


async def test_another_key_id_or_version_is_rejected(provider: KeyProvider) -> None:
    key = await provider.generate(CONTEXT)
    for key_id, version in ((key.key_id, key.key_version + 1), ("no-such-key", key.key_version), ("", 0)):
        with pytest.raises(Rejected):
            await provider.unwrap(key.wrapped, key_id=key_id, key_version=version, context=CONTEXT)


async def test_a_damaged_data_key_is_rejected(provider: KeyProvider) -> None:
    key = await provider.generate(CONTEXT)
    flipped = bytes([key.wrapped[-1] ^ 1])
    for damaged in (b"", key.wrapped[:-1], key.wrapped + b"\0", key.wrapped[:-1] + flipped, key.plaintext):
        with pytest.raises(Rejected):
            await provider.unwrap(damaged, key_id=key.key_id, key_version=key.key_version, context=CONTEXT)
