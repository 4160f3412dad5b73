"""What producers publish to the exchange `certpipe.uploads`, and what they are answered."""

from enum import StrEnum
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from schemas.base import Contract, Kind
from schemas.status import ProblemView

Base64 = Annotated[str, Field(max_length=90_000, repr=False, json_schema_extra={"contentEncoding": "base64"})]


class SealFormat(StrEnum):
    """How a bundle was sealed: an RFC 9180 HPKE box, or a JWE compact serialization (ECDH-ES, A256GCM)."""

    HPKE = "hpke"
    JWE = "jwe"


class SealedBundle(Contract):
    """A bundle sealed to one of the keys of `GET /v1/sealing-keys`.

    The plaintext is the JSON object of `ClearBundle`. An HPKE box is base64 of `enc || ciphertext` with the `info` that
    the sealing-keys document describes; a JWE stands as it is, with `sub` = upload id and `iss` = organization id
    in its protected header.
    """

    format: SealFormat
    kid: Annotated[str, Field(min_length=1, max_length=100)]
    ciphertext: Annotated[str, Field(min_length=1, max_length=300_000)]


class ClearBundle(Contract):
    """A bundle in clear: the plaintext of a sealed one, or, where the operator allows it, what a producer sends."""

    certificate: Base64
    private_key: Base64
    password: Annotated[str, Field(max_length=1_000, repr=False)]


class UploadMessage(Contract):
    """One upload from an AMQP producer. The organization is the one of the broker-validated `user_id`."""

    version: Literal[1] = 1
    upload_id: Annotated[UUID, Field(description="Chosen by the producer; the same id again is the same upload.")]
    party_id: UUID
    kind: Kind
    sealed: SealedBundle | None = None
    clear: ClearBundle | None = None
    follow: Annotated[
        bool, Field(strict=True, description="Send every later event of this upload to `reply_to`, too")
    ] = False

    @model_validator(mode="after")
    def _one_bundle(self) -> Self:
        if (self.sealed is None) == (self.clear is None):
            raise ValueError("exactly one of `sealed` and `clear` is needed")
        return self


class UploadReply(Contract):
    """The answer to `reply_to`: accepted (it is committed), or the problems."""

    version: Literal[1] = 1
    accepted: bool
    upload_id: UUID | None = None
    problems: tuple[ProblemView, ...] = ()
