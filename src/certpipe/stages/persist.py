from dataclasses import dataclass

from certpipe.core.errors import Rejected
from certpipe.core.problems import Problem
from certpipe.core.uploads import Encrypted, Part, Stored
from schemas.status import Actor

INCOMPLETE = Problem(
    "internal",
    "Al certificado guardado le falta una parte; avise al operador",
    "A part of the stored certificate is missing; tell the operator",
    actor=Actor.OPERATOR,
    status=500,
)


@dataclass(frozen=True, slots=True)
class Persist:
    """Look that all three parts are there before the sealed box, the only other copy, is deleted.

    The new version is stored and made the active one when this is settled, in the same transaction.
    """

    async def __call__(self, upload: Encrypted) -> Stored:
        whole = [part.part for part in upload.parts if part.ciphertext and part.wrapped_key and part.commitment]
        if sorted(whole) != sorted(Part):
            raise Rejected(INCOMPLETE, facts=upload.facts)
        return Stored(
            ref=upload.ref,
            organization_id=upload.organization_id,
            certificate_id=upload.certificate_id,
            facts=upload.facts,
            parts=upload.parts,
        )
