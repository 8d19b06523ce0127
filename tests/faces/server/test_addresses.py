"""Which IP addresses may be connected to."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from private_ips import IPS

from lookalike.faces.server import addresses
from lookalike.faces.server.addresses import is_own_network, is_public

# The neighbours of refused networks are among them: a network that is refused too widely would show.
PERMITTED = """
1.0.0.0 1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 93.184.215.14 100.63.255.255 100.128.0.0 126.255.255.255
128.0.0.0 151.101.1.1 168.63.129.15 168.63.129.17 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0
191.255.255.255 192.0.1.0 192.0.3.0 192.31.195.255 192.31.197.0 192.52.192.255 192.52.194.0 192.88.98.255
192.88.100.0 192.167.255.255 192.169.0.0 192.175.47.255 192.175.49.0 198.17.255.255 198.20.0.0 198.51.99.255
198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255
2000:: 2001:200:: 2001:4860:4860::8888 2001:db7:ffff::1 2001:db9:: 2003:: 2606:4700::1111 2620:4f:7fff::1
2620:4f:8001:: 2620:fe::fe 2a00:1450:4001:81b::200e 3ffd:ffff::1 3fff:1000:: 2606:4700::5eff:7f00:1
"""


@pytest.mark.parametrize("ip", IPS)
def test_what_is_not_public_unicast_is_refused(ip):
    assert not is_public(ip)
    assert not is_public(ipaddress.ip_address(ip).exploded)


@pytest.mark.parametrize("ip", IPS)
def test_the_table_refuses_it_even_where_python_would_not(monkeypatch, ip):
    for kind in (ipaddress.IPv4Address, ipaddress.IPv6Address):
        monkeypatch.setattr(kind, "is_global", True)
        monkeypatch.setattr(kind, "is_multicast", False)
        monkeypatch.setattr(kind, "is_reserved", False)
    assert not is_public(ip)


@pytest.mark.parametrize("ip", PERMITTED.split())
def test_what_is_public_unicast_is_permitted(ip):
    assert is_public(ip)
    assert is_public(ipaddress.ip_address(ip).exploded)


@pytest.mark.parametrize(
    "text",
    [
        *("", "localhost", "127.1", "0x8.8.8.8", "8.8.8", "8.8.8.8.", "8.8.8.8/32", "08.8.8.8", " 8.8.8.8"),
        *("８.８.８.８", "134744072", "[2606:4700::1111]", "2606:4700::1111%1", "2606:4700::1111%eth0"),
        *("2606:4700::1111/128", "2606:4700:::1111"),
    ],
)
def test_what_is_not_a_plain_ip_address_is_refused(text):
    assert not is_public(text)


@given(st.ip_addresses(v=4))
def test_an_address_stays_refused_in_whatever_form_ipv6_embeds_it(inner):
    number = int(inner)
    for prefix, shift in (
        (0, 0),  # IPv4-compatible
        (0xFFFF << 32, 0),  # IPv4-mapped
        (0xFFFF << 48, 0),  # IPv4-translated
        (0x64_FF9B << 96, 0),  # NAT64
        (0x64_FF9B_0001 << 80, 0),  # NAT64, local
        (0x2002 << 112, 80),  # 6to4
        (0x2001_0000 << 96, 64),  # Teredo, server
        (0x2001_0000 << 96, 0),  # Teredo, client (its bits are turned over, which this covers too)
        (0x2606_4700 << 96 | 0x5EFE << 32, 0),  # ISATAP
    ):
        assert not is_public(str(ipaddress.IPv6Address(prefix | number << shift)))


@given(st.ip_addresses())
def test_nothing_is_permitted_that_python_calls_private_or_reserved(address):
    if is_public(str(address)):
        assert address.is_global
        assert not (address.is_private or address.is_loopback or address.is_link_local)
        assert not (address.is_multicast or address.is_reserved or address.is_unspecified)


@pytest.mark.parametrize(
    ("source", "ip", "own"),
    [
        ("8.8.8.8", "8.8.8.8", True),
        ("8.8.8.9", "8.8.8.8", False),
        ("192.168.1.7", "8.8.8.8", False),
        ("2a00:1450:4001:81b::1", "2a00:1450:4001:81b::1", True),
        ("2a00:1450:4001:81b::1", "2a00:1450:4001:81b:ffff:ffff:ffff:ffff", True),
        ("2a00:1450:4001:81b::1", "2a00:1450:4001:81c::1", False),
        ("fd00::2", "2a00:1450:4001:81b::1", False),
        (None, "8.8.8.8", False),
    ],
)
def test_this_machine_and_its_ipv6_network_are_known_by_the_way_there(monkeypatch, source, ip, own):
    monkeypatch.setattr(addresses, "_source_towards", lambda _ip: source)
    assert is_own_network(ip) is own


def test_the_way_to_an_address_of_this_machine_begins_there():
    # Loopback stands for a public address of this machine, which the test cannot have.
    assert is_own_network("127.0.0.1")


def test_an_address_without_a_route_is_nobodys_own(monkeypatch):
    def no_family(*_):
        raise OSError("no such family")

    monkeypatch.setattr(addresses.socket, "socket", no_family)
    assert not is_own_network("2606:4700::1111")
