"""Whether webhooks may be sent to an address, told to its owner before anything is: the port `AddressGuard`.

The last word has the connection itself, for what a name leads to may change: see `connecting`.
"""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address, ip_address
from typing import Final, Protocol

from aiohttp.abc import ResolveResult
from yarl import URL

from certpipe.core.problems import Problem
from certpipe.notify import addresses
from certpipe.notify.addresses import Network
from certpipe.notify.connecting import PORTS, UnresolvedError

MOST_CHARACTERS: Final = 2_048
_HOSTS_MOST: Final = 253
_NOT_IN_ADDRESSES = re.compile(r"[\x00-\x20\x7f\\]")
_USER = re.compile(r"[^/?#]*//[^/?#]*@")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")

FORBIDDEN_ADDRESS: Final = Problem(
    "forbidden_address",
    "La dirección lleva a una red a la que no se envían webhooks",
    "The address leads into a network that webhooks are not sent to",
    field="url",
    hint="Only public addresses are reached; the operator may allow others with CERTPIPE_WEBHOOK_NETWORKS",
    status=422,
)


def _unusable(message_es: str, message_en: str, hint: str) -> Problem:
    return Problem("unusable_address", message_es, message_en, field="url", hint=hint, status=422)


NO_ADDRESS: Final = _unusable(
    "Esto no es una dirección https completa",
    "This is no complete https address",
    "Write it like https://hooks.example.com/certpipe, without spaces, and with 2048 characters at the most",
)
NOT_HTTPS: Final = _unusable(
    "La dirección debe comenzar con https://",
    "The address must begin with https://",
    "http serves only within the networks of CERTPIPE_WEBHOOK_NETWORKS",
)
WITH_USER: Final = _unusable(
    "La dirección no debe llevar usuario ni contraseña",
    "The address must not hold a user or a password",
    "Send an Authorization header instead: it is kept sealed",
)
WITH_FRAGMENT: Final = _unusable(
    "La dirección no debe llevar fragmento (#…)",
    "The address must not hold a fragment (#…)",
    "A fragment is never sent; leave it out",
)
ODD_PORT: Final = _unusable(
    "El puerto de la dirección no está permitido",
    "The port of the address is not allowed",
    "Use 443 or 8443; others serve only within the networks of CERTPIPE_WEBHOOK_NETWORKS",
)
ODD_NUMBER: Final = _unusable(
    "La dirección IP está escrita de una forma inusual",
    "The IP address is written in an unusual way",
    "Write four decimal numbers, as in 203.0.113.7, or use a name",
)
UNRESOLVED: Final = _unusable(
    "El nombre de la dirección no lleva a ninguna parte",
    "The name of the address leads nowhere",
    "Look for a typing error; a new name may take minutes until it is known everywhere",
)


class Names(Protocol):
    """Looks names up."""

    async def addresses(self, host: str, port: int) -> Sequence[ResolveResult]:
        """Every address of a name. Raises `UnresolvedError`."""


class UrlGuard:
    """Judges the shape of an address, and then every IP address that it leads to: one that is forbidden is enough."""

    def __init__(self, networks: Sequence[Network], names: Names) -> None:
        self._networks = tuple(networks)
        self._names = names

    async def refusal(self, url: str, /) -> Problem | None:
        read = _read(url)
        if isinstance(read, Problem):
            return read
        try:
            return self._judged(read, await self._leads_to(read.raw_host or "", read.port or 0))
        except UnresolvedError:
            return UNRESOLVED

    def _judged(self, read: URL, found: Sequence[str]) -> Problem | None:
        if any(addresses.forbidden(ip, self._networks) for ip in found):
            return FORBIDDEN_ADDRESS
        if all(addresses.within(ip, self._networks) for ip in found):
            return None
        if read.scheme != "https":
            return NOT_HTTPS
        return None if read.port in PORTS else ODD_PORT

    async def _leads_to(self, host: str, port: int) -> Sequence[str]:
        if _is_ip(host):
            return [host]
        return [found["host"] for found in await self._names.addresses(host, port)]


def _read(url: str) -> URL | Problem:
    """The address by its parts, or what is wrong with it as it stands."""
    if len(url) > MOST_CHARACTERS or _NOT_IN_ADDRESSES.search(url):
        return NO_ADDRESS
    try:
        read = URL(url)
        host, port = read.raw_host or "", read.port
    except ValueError:
        return NO_ADDRESS
    checks = (
        (read.scheme not in {"http", "https"}, NOT_HTTPS if read.scheme else NO_ADDRESS),
        (_USER.match(url), WITH_USER),
        # A percent sign: what is escaped, or the scope of an address, is read differently by every reader.
        (not port or not 0 < len(host) <= _HOSTS_MOST or not host.isascii() or "%" in host, NO_ADDRESS),
        ("#" in url, WITH_FRAGMENT),
        (_is_odd_number(host), ODD_NUMBER),
    )
    return next((problem for wrong, problem in checks if wrong), read)


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_odd_number(host: str) -> bool:
    """Whether the system would read an IPv4 address where the standard writes none: `127.1`, `0x7f.1`, `2130706433`."""
    if not _NUMBER.fullmatch(host.removesuffix(".").rpartition(".")[2]):
        return False
    try:
        IPv4Address(host)
    except ValueError:
        return True
    return False
