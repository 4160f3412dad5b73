"""Hands certificates to the PACs. Holds the key provider and the PAC's credentials; reaches out to them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from certpipe.connectors import CONNECTORS, Credentials, open_connectors, open_http
from certpipe.core.pace import Limits, parse_limits
from certpipe.core.patience import Patience
from certpipe.crypto.envelope import EnvelopeUnwrapper
from certpipe.crypto.keys import open_provider
from certpipe.process import Process, Service, main
from certpipe.runtime.gate import ServiceGate
from certpipe.runtime.gatekeeper import Gatekeeper
from certpipe.settings import Settings
from certpipe.stages.forward import Forward
from certpipe.starting import RefusedToStart
from certpipe.store.ledgers.forward import ForwardLedger
from certpipe.store.sender import Sender
from certpipe.store.services import StoreServices
from schemas.base import Kind
from schemas.status import Stage

SPARE = 8
"""Connections besides those of the hand-overs: for tokens and probes. Nobody ever waits for one."""
LINGER = 0.5


@asynccontextmanager
async def role(process: Process) -> AsyncIterator[Sequence[Service]]:
    """The forward stage. A slow PAC fills batches, so there are many."""
    settings = process.settings
    if settings.sw_token_file is None and (settings.sw_user is None or settings.sw_password_file is None):
        raise RefusedToStart(
            "no account at SW Sapien: set CERTPIPE_SW_USER and CERTPIPE_SW_PASSWORD_FILE, or CERTPIPE_SW_TOKEN_FILE"
        )
    limits, patience = _limits(settings), _patience(settings)
    sender = Sender(process.database_url, process.clock)
    async with (
        open_http(connections=sum(limit.at_once for limit in limits.values()) + SPARE) as http,
        sender.living(),
    ):
        credentials = Credentials(
            user=settings.sw_user,
            password=_secret(settings.sw_password_file),
            token=_secret(settings.sw_token_file),
        )
        try:
            connectors = open_connectors(
                sw_services_url=settings.sw_services_url,
                sw_api_url=settings.sw_api_url,
                sw_credentials=credentials,
                http=http,
                clock=process.clock,
                timeout=patience.answer,
            )
        except ValueError as error:
            raise RefusedToStart(f"{error}: correct CERTPIPE_SW_SERVICES_URL or CERTPIPE_SW_API_URL") from None
        services = StoreServices(process.database)
        gates = {
            name: ServiceGate(
                name, limits[name], services, process.clock, patience=patience, used_again=connector.forget_refusal
            )
            for name, connector in connectors.items()
        }
        step = Forward(
            unwrapper=EnvelopeUnwrapper(open_provider(settings.key_provider, settings.keys)),
            connectors=connectors,
            gates=gates,
        )
        destinations = {kind: [c.name for c in connectors.values() if c.takes(kind)] for kind in Kind}
        ledger = ForwardLedger(process.database, process.hinter, destinations, gates, sender.number)
        # So many that a slow service, which holds one with each hand-over, leaves enough for the others.
        batches = 32 + sum(limit.at_once for limit in limits.values())
        yield [
            process.worker(Stage.FORWARD, step, ledger, batches=batches, prefetch=2 * batches, linger=LINGER),
            Gatekeeper(services, list(gates.values()), process.clock),
        ]


def _limits(settings: Settings) -> Mapping[str, Limits]:
    usual = Limits(settings.pac_at_once, settings.pac_per_second)
    try:
        return {**dict.fromkeys(CONNECTORS, usual), **parse_limits(settings.pac_limits, CONNECTORS)}
    except ValueError as error:
        raise RefusedToStart(f"CERTPIPE_PAC_LIMITS cannot be used: {error}") from None


def _patience(settings: Settings) -> Patience:
    try:
        return Patience(settings.pac_timeout_seconds)
    except ValueError as error:
        raise RefusedToStart(f"CERTPIPE_PAC_TIMEOUT_SECONDS cannot be used: {error}") from None


def _secret(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise RefusedToStart(f"cannot read {file}: {error.strerror}; name a file that this user may read") from None


if __name__ == "__main__":
    main("forward", role)
