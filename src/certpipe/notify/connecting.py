"""Connections that reach only what they may: the real address is looked at just before each of them is opened."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from ssl import SSLContext
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from certpipe.notify.addresses import Network, forbidden, within
from certpipe.notify.bounded import BoundedHandler

PORTS: Final = frozenset({443, 8443})
_KEPT_ALIVE = 4.0
"""Seconds, below the five after which common servers close: a delivery must not meet a connection that is closing."""
_LOOKUPS = 64
"""Names that are looked up at a time. Threads of their own, so that slow names of some hold up nobody else's."""


class ForbiddenAddressError(OSError):
    """A name leads, or a connection would go, to where webhooks may not be sent."""


class UnresolvedError(OSError):
    """A name leads nowhere."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """One pool of connections for https, and one for http, which reaches the operator's networks only."""

    https: aiohttp.ClientSession
    http: aiohttp.ClientSession


class Lookup:
    """The system's resolver, with a limit of time."""

    def __init__(self, *, timeout: float = 5.0, threads: int = _LOOKUPS) -> None:
        self._timeout = timeout
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="webhook-names")

    async def addresses(self, host: str, port: int) -> Sequence[ResolveResult]:
        """Every address of a name. Raises `UnresolvedError`, also when it takes too long."""
        try:
            async with asyncio.timeout(self._timeout):
                found = await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host, port)
        except (OSError, UnicodeError):  # TimeoutError is an OSError; UnicodeError: a label that is none
            found = []
        if not found:
            raise UnresolvedError("the name leads nowhere")
        return found

    def close(self) -> None:
        """Begin no more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[ResolveResult]:
    return [
        ResolveResult(
            hostname=host,
            # `getnameinfo` writes the scope of a link-local address into it.
            host=socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)[0],
            port=port,
            family=family,
            proto=protocol,
            flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
        )
        for family, _, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    ]


class LookupResolver(AbstractResolver):
    """`Lookup` as aiohttp asks for it."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            found for found in await self._lookup.addresses(host, port) if family in (socket.AF_UNSPEC, found["family"])
        ]

    async def close(self) -> None:
        self._lookup.close()


class _Guarded(AbstractResolver):
    """Refuses a name of which one address is forbidden, as the check at its creation does."""

    def __init__(self, resolver: AbstractResolver, networks: Sequence[Network]) -> None:
        self._resolver = resolver
        self._networks = networks

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if any(forbidden(result["host"], self._networks) for result in found):
            raise ForbiddenAddressError("forbidden address")
        return found

    async def close(self) -> None:
        await self._resolver.close()


class _Connector(aiohttp.TCPConnector):
    """Its connections give one answer in bounds; the client has no setting for that."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        factory: Any = partial(BoundedHandler, loop=self._loop)
        self._factory = factory


def guarded_connector(
    networks: Sequence[Network],
    *,
    resolver: AbstractResolver,
    ports: frozenset[int] = PORTS,
    ssl: SSLContext | bool = True,
) -> aiohttp.TCPConnector:
    """Connects to public addresses at these ports, and to the networks at any.

    The pool has no limit of its own: how many connections there are is for those to say who send.
    """

    def opened(info: aiohttp.AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        host, port = str(address[0]), int(address[1])
        scoped = family == socket.AF_INET6 and len(address) > 3 and address[3] != 0  # noqa: PLR2004 - IPv6: of four
        if scoped or not (within(host, networks) or (port in ports and not forbidden(host))):
            raise ForbiddenAddressError("forbidden address")
        return socket.socket(family, kind, protocol)

    return _Connector(
        resolver=_Guarded(resolver, networks),
        socket_factory=opened,
        ssl=ssl,
        limit=0,
        keepalive_timeout=_KEPT_ALIVE,
        ttl_dns_cache=30,
    )


@asynccontextmanager
async def open_sessions(
    networks: Sequence[Network], *, resolver: AbstractResolver | None = None, ssl: SSLContext | bool = True
) -> AsyncIterator[Sessions]:
    """Sessions that take nothing from the environment, keep no cookies, and unpack nothing.

    `networks`: where http and any port may be used. `resolver`, `ssl`: others than the system's.
    """
    names = resolver or LookupResolver(Lookup())
    try:
        async with (
            _session(guarded_connector(networks, resolver=names, ssl=ssl)) as https,
            _session(guarded_connector(networks, resolver=names, ports=frozenset())) as http,
        ):
            yield Sessions(https=https, http=http)
    finally:
        await names.close()


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        skip_auto_headers=("Accept-Encoding",),
    )
