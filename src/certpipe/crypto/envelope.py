"""Envelopes at rest: each part of a bundle under a data key of its own, and the data key under the provider's.

From a 32-byte data key, HKDF-SHA256 derives an encryption key and a commitment. The commitment is stored: AES-GCM alone
can be made to open under two keys, and a record that was given another data key is recognised before anything is
decrypted. Organization, certificate, part and format version are authenticated twice, with the ciphertext and with the
wrapped key.
"""

import asyncio
import hmac
import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from certpipe.core.bundle import Bundle
from certpipe.core.errors import Rejected
from certpipe.core.ports.custody import KeyProvider
from certpipe.core.uploads import Part, PartBinding, WrappedPart
from certpipe.crypto.problems import PART_DAMAGED

VERSION = 1
_NONCE_BYTES = 12


def context(binding: PartBinding, part: Part, version: int = VERSION) -> bytes:
    """What a part and its data key are bound to, as ASCII; ids only, for providers keep it in clear in their logs."""
    return f"certpipe/part/v{version}|{binding.organization_id}|{binding.certificate_id}|{part}".encode("ascii")


class EnvelopeWrapper:
    """The port `Wrapper`. Raises what the provider raises."""

    def __init__(self, provider: KeyProvider) -> None:
        self._provider = provider

    async def wrap(self, bundle: Bundle, binding: PartBinding, /) -> tuple[WrappedPart, ...]:
        clear = {
            Part.CERTIFICATE: bundle.certificate,
            Part.PRIVATE_KEY: bundle.private_key,
            Part.PASSWORD: bundle.password.encode(),
        }
        return tuple(await asyncio.gather(*(self._wrap(part, content, binding) for part, content in clear.items())))

    async def _wrap(self, part: Part, content: bytes, binding: PartBinding) -> WrappedPart:
        bound_to = context(binding, part)
        data_key = await self._provider.generate(bound_to)
        nonce = os.urandom(_NONCE_BYTES)
        return WrappedPart(
            part=part,
            version=VERSION,
            ciphertext=AESGCM(_derived(data_key.plaintext, "encrypt")).encrypt(nonce, content, bound_to),
            nonce=nonce,
            commitment=_derived(data_key.plaintext, "commit"),
            wrapped_key=data_key.wrapped,
            key_id=data_key.key_id,
            key_version=data_key.key_version,
        )


class EnvelopeUnwrapper:
    """The port `Unwrapper`. Raises `Rejected` (`part_damaged`: the operator acts), or what the provider raises."""

    def __init__(self, provider: KeyProvider) -> None:
        self._provider = provider

    async def unwrap(self, parts: Sequence[WrappedPart], binding: PartBinding, /) -> Bundle:
        by_part = {part.part: part for part in parts}
        if len(parts) != len(Part) or set(by_part) != set(Part):
            raise Rejected(PART_DAMAGED)
        certificate, private_key, password = await asyncio.gather(
            *(self._unwrap(by_part[part], binding) for part in (Part.CERTIFICATE, Part.PRIVATE_KEY, Part.PASSWORD))
        )
        text = _text(password)
        if text is None:
            raise Rejected(PART_DAMAGED)
        return Bundle(certificate=certificate, private_key=private_key, password=text)

    async def _unwrap(self, wrapped: WrappedPart, binding: PartBinding) -> bytes:
        if wrapped.version != VERSION:
            raise Rejected(PART_DAMAGED)
        bound_to = context(binding, wrapped.part, wrapped.version)
        data_key = await self._provider.unwrap(
            wrapped.wrapped_key, key_id=wrapped.key_id, key_version=wrapped.key_version, context=bound_to
        )
        if not hmac.compare_digest(_derived(data_key, "commit"), wrapped.commitment):
            raise Rejected(PART_DAMAGED)
        content = _decrypted(wrapped, data_key, bound_to)
        if content is None:
            raise Rejected(PART_DAMAGED)
        return content


def _derived(data_key: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"certpipe/part/{purpose}".encode()).derive(data_key)


def _decrypted(wrapped: WrappedPart, data_key: bytes, bound_to: bytes) -> bytes | None:
    try:
        return AESGCM(_derived(data_key, "encrypt")).decrypt(wrapped.nonce, wrapped.ciphertext, bound_to)
    except (InvalidTag, ValueError):  # ValueError: a nonce of a forbidden length
        return None


def _text(password: bytes) -> str | None:
    try:
        return password.decode()
    except UnicodeDecodeError:  # dropped, not chained: it carries the password
        return None
