"""Which addresses webhooks may reach: a rule on IP addresses alone. Pure."""

from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

Network = IPv4Network | IPv6Network
_Address = IPv4Address | IPv6Address

_NEVER: Final = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24",  # protocol assignments; a cloud's metadata is at 192.0.0.192
            "192.88.99.0/24",  # relays of 6to4
            "168.63.129.16/32",  # a cloud's metadata at an address that looks public
            "64:ff9b:1::/48",  # NAT64 of a local prefix: leads to any IPv4 address
            "2001:db8::/32",
            "3fff::/20",
        ),
    )
)
_UNICAST = IPv6Network("2000::/3")
"""All that is given out of IPv6. What lies outside is never public: `::a.b.c.d`, `::ffff:0:a.b.c.d`, site-local …"""
_NAT64 = IPv6Network("64:ff9b::/96")


def parse_networks(text: str) -> tuple[Network, ...]:
    """Networks in CIDR notation, with commas between. Raises `ValueError` that names the one that is none."""
    return tuple(_network(entry) for entry in map(str.strip, text.split(",")) if entry)


def _network(entry: str) -> Network:
    try:
        return ip_network(entry)
    except ValueError:
        pass
    raise ValueError(f"{entry[:100]!r} is no network: write it as 10.1.0.0/16 or fd00::/8, with commas between")


def within(ip: str, networks: Sequence[Network]) -> bool:
    """Whether an address, as `getaddrinfo` writes it, lies in one of the networks."""
    address = _read(ip)
    return address is not None and _within(address, networks)


def forbidden(ip: str, networks: Sequence[Network] = ()) -> bool:
    """Whether an address may not be reached: everything that is not public unicast, unless in one of the networks.

    An address that carries another within (IPv4-mapped, 6to4, Teredo, NAT64) is as good as what it leads to. One with
    a scope is of this machine's links, and what is no address at all is forbidden, too.
    """
    address = _read(ip)
    return address is None or not (_within(address, networks) or _is_public(address))


def _read(ip: str) -> _Address | None:
    try:
        address = ip_address(ip)
    except ValueError:
        return None
    if isinstance(address, IPv4Address):
        return address
    return None if address.scope_id else address.ipv4_mapped or address


def _within(address: _Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)


def _is_public(address: _Address) -> bool:
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return _is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
        if address not in _UNICAST or not all(map(_is_public, _carried(address))):
            return False
    return address.is_global and not address.is_multicast and not _within(address, _NEVER)


def _carried(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses within."""
    return (address.sixtofour,) if address.sixtofour else address.teredo or ()
