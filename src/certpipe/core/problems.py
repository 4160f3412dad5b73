"""A fault as its reader sees it."""

from dataclasses import dataclass, replace
from typing import Self

from schemas.status import Actor, ProblemView


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault: a stable code, the field that it is about, both languages, who must act, and what helps.

    `status` is the HTTP status that it would have on its own; `provider_code` and `provider_message` are a PAC's own
    words, verbatim. No member ever holds a password, key bytes or an unbounded echo of input.
    """

    code: str
    message_es: str
    message_en: str
    field: str | None = None
    hint: str | None = None
    actor: Actor = Actor.SUBMITTER
    status: int = 400
    provider_code: str | None = None
    provider_message: str | None = None

    def about(self, field: str) -> Self:
        """The same fault, told of another field."""
        return replace(self, field=field)

    def view(self) -> ProblemView:
        """What may be shown."""
        return ProblemView(
            code=self.code,
            field=self.field,
            message_es=self.message_es,
            message_en=self.message_en,
            hint=self.hint,
            actor=self.actor,
            provider_code=self.provider_code,
            provider_message=self.provider_message,
        )


TARGET_NOT_FOUND = Problem(
    "target_not_found",
    "El registro indicado no existe o no espera un certificado",
    "The entry was not found or does not wait for a certificate",
    status=404,
)

INTERNAL = Problem(
    "internal",
    "Error interno; intente más tarde",
    "Internal error; try again later",
    actor=Actor.OPERATOR,
    status=500,
)

POISONOUS = Problem(
    "poisonous",
    "El proceso que trabajaba en esta carga terminó de forma anormal; se apartó para que no afecte a otras",
    "The process that worked on this upload died of it; it was set apart, so that no other suffers",
    actor=Actor.OPERATOR,
    status=500,
)
