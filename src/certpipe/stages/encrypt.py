from dataclasses import dataclass

from certpipe.core.bundle import Bundle
from certpipe.core.ids import uuid7
from certpipe.core.ports.custody import Opener, Wrapper
from certpipe.core.ports.runtime import Run
from certpipe.core.uploads import Encrypted, PartBinding, Validated
from certpipe.sat.forms import canonical
from certpipe.sat.passwords import readings


@dataclass(frozen=True, slots=True)
class Encrypt:
    """Wrap each part of the bundle under a fresh data key, so that no table or backup holds anything that opens."""

    opener: Opener
    wrapper: Wrapper
    run: Run[Bundle]

    async def __call__(self, upload: Validated) -> Encrypted:
        bundle = await self._canonical(self.opener.open(upload.box, upload.binding))
        certificate_id = uuid7()
        return Encrypted(
            ref=upload.ref,
            organization_id=upload.organization_id,
            certificate_id=certificate_id,
            facts=upload.facts,
            parts=await self.wrapper.wrap(bundle, PartBinding(upload.organization_id, certificate_id)),
        )

    async def _canonical(self, bundle: Bundle) -> Bundle:
        """Off the event loop where the key has to be opened."""
        if len(readings(bundle.password)) == 1:
            return canonical(bundle)
        return await self.run(lambda: canonical(bundle))
