"""THE table: which stage follows which. A chain whose ends do not fit does not type-check."""

from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

from certpipe.core.ports.runtime import StageStep
from certpipe.stages.encrypt import Encrypt
from certpipe.stages.forward import Forward
from certpipe.stages.persist import Persist
from certpipe.stages.validate import Validate
from schemas.status import Stage

In = TypeVar("In")
Out = TypeVar("Out")
Next = TypeVar("Next")


@dataclass(frozen=True, slots=True)
class Pipeline(Generic[Out]):
    """The stages in order; `Out` is what the last one makes."""

    stages: tuple[tuple[Stage, type[StageStep[Any, Any]]], ...]

    @classmethod
    def of(cls, name: Stage, step: type[StageStep[Any, Out]]) -> Self:
        """Start with a stage."""
        return cls(((name, step),))

    def then(self, name: Stage, step: "type[StageStep[Out, Next]]") -> "Pipeline[Next]":
        """Go on with a stage that takes what the one before makes."""
        return Pipeline((*self.stages, (name, step)))

    def following(self, name: Stage) -> Stage | None:
        """The stage after `name`, or None after the last."""
        names = [stage for stage, _ in self.stages]
        index = names.index(name) + 1
        return names[index] if index < len(names) else None


PIPELINE = (
    Pipeline.of(Stage.VALIDATE, Validate)
    .then(Stage.ENCRYPT, Encrypt)
    .then(Stage.PERSIST, Persist)
    .then(Stage.FORWARD, Forward)
)
