"""Opening a JWE (RFC 7516): compact, ECDH-ES with X25519, A256GCM, and nothing else."""

import base64
import json
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry, decrypt_compact
from joserfc.jwk import OKPKey
from joserfc.registry import HeaderParameter

from certpipe.core.uploads import Box, BoxBinding
from certpipe.crypto.scheme import JWE_ALGORITHMS, MOST_SEALED

_NEEDED = frozenset({"alg", "enc", "kid", "sub", "iss", "epk"})
_ALLOWED = _NEEDED | {"typ", "cty", "apu", "apv"}
_MOST_HEADER = 1024


def open_jwe(box: Box, binding: BoxBinding, key: X25519PrivateKey) -> bytes | None:
    """The plaintext, or None. The header is judged here, member by member, before the library sees the token:
    no compression, no foreign key references, no critical extensions, no member twice.
    """
    segments = box.ciphertext.split(b".")
    if len(segments) != 5 or segments[1]:  # noqa: PLR2004 - header, encrypted key (none in ECDH-ES), iv, text, tag
        return None
    if not _is_expected(_header(segments[0]), box.kid, binding):
        return None
    try:
        return decrypt_compact(box.ciphertext, OKPKey.import_key(key), registry=_registry()).plaintext
    except (JoseError, InvalidTag, ValueError, TypeError):
        return None


def _registry() -> JWERegistry:
    claims = {
        name: HeaderParameter("replicated claim (RFC 7519 §5.3)", "str", required=True) for name in ("sub", "iss")
    }
    registry = JWERegistry(algorithms=JWE_ALGORITHMS, header_registry=claims)
    # The default, 64 KiB, is too small for two files of 64 KiB; the message itself is capped at MOST_SEALED.
    registry.max_ciphertext_length = MOST_SEALED
    return registry


def _header(segment: bytes) -> dict[str, Any] | None:
    if len(segment) > _MOST_HEADER:
        return None
    try:
        header = json.loads(
            base64.b64decode(segment + b"=" * (-len(segment) % 4), b"-_", validate=True), object_pairs_hook=_once
        )
    except (ValueError, RecursionError):
        return None
    return header if isinstance(header, dict) else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member occurs twice")
    return members


def _is_expected(header: dict[str, Any] | None, kid: str, binding: BoxBinding) -> bool:
    if header is None or not header.keys() >= _NEEDED or not header.keys() <= _ALLOWED:
        return False
    epk = header["epk"]
    bound = {"kid": kid, "sub": str(binding.upload_id), "iss": str(binding.organization_id)}
    return (
        (header["alg"], header["enc"]) == JWE_ALGORITHMS
        and all(header[name] == value for name, value in bound.items())
        and isinstance(epk, dict)
        and epk.keys() == {"kty", "crv", "x"}
        and (epk["kty"], epk["crv"]) == ("OKP", "X25519")
        and isinstance(epk["x"], str)
    )
