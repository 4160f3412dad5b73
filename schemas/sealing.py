"""What `GET /v1/sealing-keys` answers: the public keys to seal to, and how."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Contract


class SealingKey(Contract):
    """A public intake key as a JWK (RFC 8037): X25519, for encryption only."""

    kty: Literal["OKP"] = "OKP"
    crv: Literal["X25519"] = "X25519"
    use: Literal["enc"] = "enc"
    kid: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9._-]+$")]
    x: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$", description="32 bytes in base64url without padding")]
    version: Annotated[int, Field(ge=1)]
    created: datetime


class HpkeScheme(Contract):
    """How to seal with HPKE (RFC 9180). `ciphertext` of the upload message is base64 of `enc || ct`."""

    mode: Literal["base"] = "base"
    kem: Literal["DHKEM(X25519, HKDF-SHA256)"] = "DHKEM(X25519, HKDF-SHA256)"
    kdf: Literal["HKDF-SHA256"] = "HKDF-SHA256"
    aead: Literal["AES-256-GCM"] = "AES-256-GCM"
    info: Annotated[
        Literal["certpipe/seal/v1|{kid}|{upload_id}|{organization_id}"],
        Field(description="ASCII; both ids as lower-case UUIDs with hyphens"),
    ] = "certpipe/seal/v1|{kid}|{upload_id}|{organization_id}"
    aad: Literal[""] = ""


class JweHeader(Contract):
    """The members that the protected header needs besides `alg`, `enc` and `epk`; both ids are lower-case UUIDs."""

    kid: Literal["{kid}"] = "{kid}"
    sub: Literal["{upload_id}"] = "{upload_id}"
    iss: Literal["{organization_id}"] = "{organization_id}"


class JweScheme(Contract):
    """How to seal with JWE (RFC 7516, compact). `ciphertext` of the upload message is the JWE as it stands."""

    alg: Literal["ECDH-ES"] = "ECDH-ES"
    enc: Literal["A256GCM"] = "A256GCM"
    protected: JweHeader = JweHeader()


class SealingKeysDocument(Contract):
    """A JWK set and the two ways to seal. Seal to `current`; the others are older keys that still open."""

    current: str
    keys: Annotated[tuple[SealingKey, ...], Field(min_length=1)]
    hpke: HpkeScheme = HpkeScheme()
    jwe: JweScheme = JweScheme()
