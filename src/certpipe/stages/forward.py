from collections.abc import Mapping
from dataclasses import dataclass, replace

from certpipe.core.bundle import Bundle
from certpipe.core.discretion import discreet
from certpipe.core.errors import CertpipeError, Rejected, Unavailable, Uncertain
from certpipe.core.ports.connector import Connector
from certpipe.core.ports.custody import Unwrapper
from certpipe.core.ports.services import Gate
from certpipe.core.problems import INTERNAL, Problem
from certpipe.core.uploads import Forwarded, Receipt, Stored
from schemas.status import Actor

NO_DESTINATION = Problem(
    "no_destination",
    "No hay un destino configurado para este tipo de certificado; avise al operador",
    "No destination is configured for this kind of certificate; tell the operator",
    hint="Configure un conector para este tipo / configure a connector for this kind: CERTPIPE_SW_SERVICES_URL …",
    actor=Actor.OPERATOR,
    status=503,
)


@dataclass(frozen=True, slots=True)
class Forward:
    """Hand the certificate to every destination that takes its kind, once each.

    The intent to send is on record before this runs. Where an earlier intent is open, or an answer was lost, it looks
    at the destination before it sends again. A destination whose gate is shut gets nothing.
    """

    unwrapper: Unwrapper
    connectors: Mapping[str, Connector]
    gates: Mapping[str, Gate]

    async def __call__(self, upload: Stored) -> Forwarded:
        kind = upload.facts.kind
        if kind is None:
            raise Rejected(INTERNAL)
        destinations = [connector for connector in self.connectors.values() if connector.takes(kind)]
        if not destinations:
            raise Unavailable(NO_DESTINATION)
        for connector in destinations:
            self.gates[connector.name].check(probe=connector.name in upload.probes)
        bundle = await self.unwrapper.unwrap(upload.parts, upload.binding)
        receipts = [await self._hand_over(connector, bundle, upload) for connector in destinations]
        return Forwarded(ref=upload.ref, receipts=tuple(receipts))

    async def _hand_over(self, connector: Connector, bundle: Bundle, upload: Stored) -> Receipt:
        gate, probe = self.gates[connector.name], connector.name in upload.probes
        try:
            return await gate.through(lambda: self._once(connector, bundle, upload), upload.ref.id, probe=probe)
        except CertpipeError as error:
            error.destination = connector.name
            raise

    async def _once(self, connector: Connector, bundle: Bundle, upload: Stored) -> Receipt:
        if connector.name in upload.open_intents and (found := await connector.find(upload.facts)):
            return found
        try:
            return await connector.send(bundle, upload.facts)
        except Uncertain as lost:
            if found := await connector.find(upload.facts):
                return found
            raise _discreet(lost, bundle) from None
        except (Rejected, Unavailable) as no:
            raise _discreet(no, bundle) from None


def _discreet(error: CertpipeError, bundle: Bundle) -> CertpipeError:
    """The same error, without what a provider quoted of our request: its words are stored and shown."""
    error.problems = tuple(
        replace(problem, provider_message=discreet(problem.provider_message, bundle))
        if problem.provider_message
        else problem
        for problem in error.problems
    )
    return error
