"""How bundles and endpoints' secrets are sealed, as far as both halves must agree on it. Nothing here can open."""

from enum import StrEnum
from uuid import UUID

from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from certpipe.core.uploads import BoxBinding

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
"""RFC 9180 base mode. There is nothing to negotiate: the key id fixes the suite."""

JWE_ALGORITHMS = ("ECDH-ES", "A256GCM")
MOST_SEALED = 300_000
"""Bytes of a box at the most: two files of 64 KiB in base64, sealed and in base64 once more, take 243 000."""


def hpke_info(kid: str, binding: BoxBinding) -> bytes:
    """What an HPKE box is bound to, as ASCII: `certpipe/seal/v1|<kid>|<upload id>|<organization id>`.

    Both ids are lower-case UUIDs with hyphens. No member can hold the separator.
    """
    return f"certpipe/seal/v1|{kid}|{binding.upload_id}|{binding.organization_id}".encode("ascii")


class EndpointPurpose(StrEnum):
    """What of a webhook endpoint is sealed."""

    KEYS = "keys"
    HEADERS = "headers"


def endpoint_info(kid: str, purpose: EndpointPurpose, endpoint_id: UUID) -> bytes:
    """What an endpoint's box is bound to, as ASCII: `certpipe/endpoint/v1|<kid>|<keys or headers>|<endpoint id>`."""
    return f"certpipe/endpoint/v1|{kid}|{purpose}|{endpoint_id}".encode("ascii")
