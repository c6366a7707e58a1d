"""Addresses: spellings, and which belong to the public internet."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from sansio_http_anyio.transport.addresses import is_public, plain


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::ffff:127.0.0.1", "127.0.0.1"),
        ("::FFFF:7f00:1", "127.0.0.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
    ],
)
def test_an_address_is_a_number(written: str, number: str) -> None:
    assert plain(written) == ip_address(number)


@pytest.mark.parametrize(
    "address",
    """
    0.0.0.0 10.1.2.3 100.64.0.1 127.0.0.1 127.255.255.255 169.254.169.254 172.16.0.1 192.0.0.192 192.168.1.1 192.0.2.1
    198.18.0.1 224.0.0.1 240.0.0.1 255.255.255.255 168.63.129.16 100.100.100.200
    :: ::1 fe80::1 fc00::1 fd00:ec2::254 ff02::1 2001:db8::1 ::127.0.0.1
    ::ffff:10.0.0.1 64:ff9b::127.0.0.1 64:ff9b::a9fe:a9fe 2002:7f00:1:: 2002:a9fe:a9fe::1
    2001:0:4136:e378:8000:63bf:f5ff:fffe
    """.split(),
)
def test_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "64:ff9b::1.1.1.1", "2002:101:101::1"]
)
def test_public(address: str) -> None:
    assert is_public(ip_address(address))
