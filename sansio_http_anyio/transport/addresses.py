"""What an address is, however it is written, and whether it is one of the public internet's."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

IPAddress = IPv4Address | IPv6Address

_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_PROTOCOLS = IPv4Network("192.0.0.0/24")  # not all of it is private to Python; Oracle's metadata service is there
_AZURE = IPv4Address("168.63.129.16")  # Azure's wire server: for machines inside, at an address like anybody's


def plain(address: str) -> IPAddress:
    """The address as a number; an IPv4 address that is written as an IPv6 one (``::ffff:127.0.0.1``) as what it is."""
    number = ip_address(address.partition("%")[0])
    return (number.ipv4_mapped or number) if isinstance(number, IPv6Address) else number


def is_public(address: IPAddress) -> bool:
    """Whether ``address`` belongs to the public internet.

    It is False for private, loopback, link-local, shared, multicast and reserved addresses (the registries of RFC 6890)
    and so for the clouds' metadata services; and for IPv6 addresses that lead to such an IPv4 one, by 6to4 (RFC 3056),
    Teredo (RFC 4380) or NAT64 (RFC 6052).
    """
    if isinstance(address, IPv6Address):
        inner = _inside(address)
        if inner is not None:
            return is_public(inner)
        if address.is_reserved:  # ::127.0.0.1 among them, which Python calls global
            return False
    elif address in _PROTOCOLS or address == _AZURE:
        return False
    return address.is_global and not address.is_multicast


def _inside(address: IPv6Address) -> IPv4Address | None:
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None)
