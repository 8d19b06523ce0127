"""Which IP addresses belong to somebody on the public internet, and which lead into a private network.

The table holds what IANA's special-purpose registries list (RFC 6890; https://www.iana.org/assignments/
iana-ipv4-special-registry and iana-ipv6-special-registry) and a few that they do not. It is our own because
`ipaddress.is_global` lets multicast through, and addresses in which another one is embedded, such as 6to4.
Those are refused whatever they embed, for a translator on the way may lead to that other address.
"""

from __future__ import annotations

import ipaddress
import socket

_REFUSED_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",  # "this" network: RFC 791
        "10.0.0.0/8",  # private: RFC 1918
        "100.64.0.0/10",  # shared by carriers' NAT: RFC 6598; metadata of some clouds
        "127.0.0.0/8",  # loopback: RFC 1122
        "168.63.129.16/32",  # Azure's platform service, which virtual machines reach at this public address
        "169.254.0.0/16",  # link-local: RFC 3927; metadata of most clouds
        "172.16.0.0/12",  # private: RFC 1918
        "192.0.0.0/24",  # IETF protocol assignments: RFC 6890
        "192.0.2.0/24",  # documentation: RFC 5737
        "192.31.196.0/24",  # AS112: RFC 7535
        "192.52.193.0/24",  # AMT: RFC 7450
        "192.88.99.0/24",  # 6to4 relays: RFC 7526
        "192.168.0.0/16",  # private: RFC 1918
        "192.175.48.0/24",  # AS112: RFC 7534
        "198.18.0.0/15",  # benchmarking: RFC 2544
        "198.51.100.0/24",  # documentation: RFC 5737
        "203.0.113.0/24",  # documentation: RFC 5737
        "224.0.0.0/4",  # multicast: RFC 5771
        "240.0.0.0/4",  # reserved: RFC 1112; limited broadcast: RFC 919
    )
)

# All unicast that IANA gives out (RFC 4291). Outside lie the unspecified address, loopback, IPv4-compatible,
# IPv4-mapped (RFC 4291), IPv4-translated (RFC 2765), NAT64 (RFC 6052, RFC 8215), discard-only (RFC 6666),
# segment routing (RFC 9602), unique local (RFC 4193), link-local, site-local (RFC 3879) and multicast.
_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")

_REFUSED_V6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # IETF protocol assignments (RFC 2928): Teredo (RFC 4380), benchmarking, ORCHID…
        "2001:db8::/32",  # documentation: RFC 3849
        "2002::/16",  # 6to4: RFC 3056
        "2620:4f:8000::/48",  # AS112: RFC 7534
        "3ffe::/16",  # 6bone, given back: RFC 3701
        "3fff::/20",  # documentation: RFC 9637
    )
)

_ISATAP = (0x0000_5EFE, 0x0200_5EFE)  # begin an interface id that embeds an IPv4 address: RFC 5214
_NEIGHBOURHOOD_BITS = 64  # of an IPv6 address are the same all over one local network: RFC 4291


def is_public(ip: str) -> bool:
    """Tell whether an IP address without a scope id is public unicast; False for any other text."""
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return False
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False  # a newer Python may know of networks that the table does not
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    return (
        address.scope_id is None
        and address in _UNICAST_V6
        and not any(address in network for network in _REFUSED_V6)
        and (int(address) >> 32) & 0xFFFF_FFFF not in _ISATAP
    )


def is_own_network(ip: str) -> bool:
    """Tell whether a public address is this machine's own, or in its IPv6 network.

    Neither is private by its number, but both may be reached from here past the firewall that keeps others
    out: a home's printer has a public IPv6 address too.
    """
    source = _source_towards(ip)
    if source is None:
        return False
    ours, theirs = ipaddress.ip_address(source), ipaddress.ip_address(ip)
    if ours.version == theirs.version == 6:
        shift = theirs.max_prefixlen - _NEIGHBOURHOOD_BITS
        return int(ours) >> shift == int(theirs) >> shift
    return ours == theirs


def _source_towards(ip: str) -> str | None:
    """Return the address that this machine would send from; None without a route. Nothing is sent."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((ip, 9))
            return str(probe.getsockname()[0]).partition("%")[0]
    except OSError:
        return None
