"""Which network addresses may be connected to on behalf of a request from outside: public ones, and nothing else.

Used by `shared.clients.certificates` after the name was resolved and before anything is sent. Pure. It must stay an
allow-list: what is not plainly public unicast is refused, which includes addresses that carry another one inside.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

_UNICAST_6 = IPv6Network("2000::/3")
_REFUSED = (
    ip_network("168.63.129.16/32"),  # Azure's platform address: public by its number, private by its nature
    ip_network("192.88.99.0/24"),  # relays for 6to4
    ip_network("2001::/23"),  # protocol assignments, Teredo among them: an IPv4 address inside
    ip_network("2002::/16"),  # 6to4: an IPv4 address inside
    ip_network("3fff::/20"),  # documentation
)


def is_public(address: str) -> bool:
    """Whether this literal IPv4 or IPv6 address is plain public unicast; False for anything that is no address."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip not in _UNICAST_6:
        return (
            False  # mapped (::ffff:0:0/96), translated (64:ff9b::/96), link-local, site-local, unique local, multicast
        )
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not _is_listed(ip)


def is_loopback(address: str) -> bool:
    """Whether this literal address is 127.0.0.0/8 or ::1."""
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _is_listed(ip: IPv4Address | IPv6Address) -> bool:
    return any(ip in network for network in _REFUSED if network.version == ip.version)
