"""One package or file per PAC. This literal is the registry: a new connector is its file and one line here."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import aiohttp

from certpipe.connectors.sw import Credentials, Efisco, SwSession, SwVault
from certpipe.core.clock import Clock
from certpipe.core.patience import ANSWER
from certpipe.core.ports.connector import Connector

CONNECTORS: Mapping[str, Callable[[SwSession], Connector]] = MappingProxyType(
    {
        SwVault.name: SwVault,
        Efisco.name: Efisco,
    }
)

CONNECTIONS = 64


def open_http(*, connections: int = CONNECTIONS) -> aiohttp.ClientSession:
    """The one pool of connections to every PAC: kept alive, no cookies, no proxy or netrc from the environment.

    `connections`: as many as all services together may be used at once, so that nobody waits for one.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=30),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )


def open_connectors(
    *,
    sw_services_url: str,
    sw_api_url: str,
    sw_credentials: Credentials,
    http: aiohttp.ClientSession,
    clock: Clock,
    timeout: float = ANSWER,
) -> Mapping[str, Connector]:
    """Every connector by its name, sharing one account, one token and one pool. `timeout`: seconds per exchange."""
    session = SwSession(
        services_url=sw_services_url,
        api_url=sw_api_url,
        credentials=sw_credentials,
        http=http,
        clock=clock,
        timeout=timeout,
    )
    return MappingProxyType({name: connector(session.for_one_service()) for name, connector in CONNECTORS.items()})


__all__ = ["CONNECTORS", "Credentials", "open_connectors", "open_http"]
