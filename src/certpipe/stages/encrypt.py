from dataclasses import dataclass

from certpipe.core.ids import uuid7
from certpipe.core.ports.custody import Opener, Wrapper
from certpipe.core.uploads import Encrypted, PartBinding, Validated
from certpipe.sat.forms import canonical


@dataclass(frozen=True, slots=True)
class Encrypt:
    """Wrap each part of the bundle under a fresh data key, so that no table or backup holds anything that opens."""

    opener: Opener
    wrapper: Wrapper

    async def __call__(self, upload: Validated) -> Encrypted:
        bundle = canonical(self.opener.open(upload.box, upload.binding))
        certificate_id = uuid7()
        return Encrypted(
            ref=upload.ref,
            organization_id=upload.organization_id,
            certificate_id=certificate_id,
            facts=upload.facts,
            parts=await self.wrapper.wrap(bundle, PartBinding(upload.organization_id, certificate_id)),
        )
