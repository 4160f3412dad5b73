from dataclasses import dataclass

from certpipe.core.clock import Clock
from certpipe.core.errors import Rejected
from certpipe.core.ports.custody import Opener
from certpipe.core.ports.runtime import Run
from certpipe.core.uploads import Received, Validated
from certpipe.sat.check import Verdict, check
from certpipe.sat.trust import Anchors


@dataclass(frozen=True, slots=True)
class Validate:
    """Prove the bundle: every rule of SAT's certificates, and that the key is the certificate's.

    Raises `Rejected` with all problems at once and with what could be read of the certificate.
    """

    opener: Opener
    anchors: Anchors
    environment: str
    clock: Clock
    run: Run[Verdict]

    async def __call__(self, upload: Received) -> Validated:
        verdict = await self.run(lambda: self._prove(upload))
        if verdict.problems:
            raise Rejected(*verdict.problems, facts=verdict.facts, warnings=verdict.warnings)
        return Validated(
            ref=upload.ref,
            organization_id=upload.organization_id,
            box=upload.box,
            facts=verdict.facts,
            warnings=verdict.warnings,
        )

    def _prove(self, upload: Received) -> Verdict:
        return check(
            self.opener.open(upload.box, upload.binding),
            anchors=self.anchors,
            environment=self.environment,
            at=self.clock.now(),
            kind=upload.kind,
            rfc=upload.rfc,
            self_test=False,  # the arithmetic is the proof; a signature would cost as much as all the rest of it
        )
