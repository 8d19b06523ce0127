"""No address leads into a private network: not as it is, by a name, by a redirect or by a change of mind."""

from __future__ import annotations

import pytest
from fake_internet import PICTURE, PUBLIC, SITE, Internet, fetch, fetch_each, redirect
from fake_internet import answer as page
from private_ips import IPS, PRIVATE_NAMES
from refused_addresses import DISGUISED, MALFORMED, NOT_QUITE_NUMBERS

from lookalike.errors import FetchError
from lookalike.faces.server import addresses
from lookalike.faces.server import fetch as fetching
from lookalike.faces.server.fetch import UNREACHABLE
from lookalike.faces.server.urls import parse_url

KNOWN_NAMES = {SITE: [[PUBLIC]], **{name: [ips] for name, ips in PRIVATE_NAMES.items()}}


def internet(names=None, pages=None) -> Internet:
    return Internet(names={**KNOWN_NAMES, **(names or {})}, pages={"/picture": page(), **(pages or {})})


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def assert_kept_out(net: Internet, outcomes, connections: int) -> None:
    """All failed alike, nobody inside was called, and those outside no more often than redirects take."""
    assert {(outcome.body, outcome.error) for outcome in outcomes} == {(None, UNREACHABLE)}
    assert net.trapped == 0
    assert net.connected == [(PUBLIC, 80)] * connections


@pytest.mark.parametrize("ip", IPS)
class TestEveryPrivateAddress:
    def test_as_it_is_and_by_names(self, ip):
        net = internet(
            {
                "trick.example": [[ip]],
                "first.example": [[ip, PUBLIC]],
                "second.example": [[PUBLIC, ip]],
                "sixth.example": [[PUBLIC] * 5 + [ip]],
            }
        )
        names = net.names.keys() - KNOWN_NAMES.keys()
        addresses = [f"http://{host}/picture" for host in (bracketed(ip), *names)]
        assert_kept_out(net, fetch_each(net, f"https://{bracketed(ip)}", *addresses), 0)

    def test_by_redirects(self, ip):
        pages = {
            "/address": redirect(f"http://{bracketed(ip)}/"),
            "/name": redirect("//trick.example/picture", "307 Temporary Redirect"),
        }
        net = internet({"trick.example": [[PUBLIC, ip]]}, pages)
        assert_kept_out(net, fetch_each(net, *(f"http://{SITE}{target}" for target in pages)), 2)

    def test_by_a_name_that_changes_once_it_was_checked(self, ip):
        names = {"trick.example": [[PUBLIC], [ip]], "back.example": [[PUBLIC], [ip]]}
        net = internet(names, {"/": redirect("/picture")})
        at_once, redirected = fetch_each(net, "http://trick.example/picture", "http://back.example/")
        assert at_once.body == PICTURE
        assert redirected.error == UNREACHABLE
        assert net.lookups == ["trick.example", "back.example", "back.example"]
        assert (net.trapped, net.connected) == (0, [(PUBLIC, 80)] * 2)


@pytest.mark.parametrize("address", DISGUISED)
class TestEveryDisguise:
    def test_as_it_is_and_by_a_redirect(self, address):
        net = internet(pages={"/": redirect(address.strip())})
        assert_kept_out(net, fetch_each(net, address, f"http://{SITE}/"), 1)

    def test_by_a_change_after_it_was_public(self, address):
        host = parse_url(address).host
        answers = [[PUBLIC], KNOWN_NAMES.get(host, [["127.0.0.1"]])[0]]
        net = internet({host: answers}, {"/": redirect(address.strip())})
        assert_kept_out(net, [fetch(net, f"http://{bracketed(host)}/")], 1)


@pytest.mark.parametrize("address", MALFORMED)
class TestEveryMalformedAddress:
    def test_is_refused_before_any_look_up(self, address):
        net = internet()
        outcome = fetch(net, address)
        assert outcome.body is None
        assert outcome.error != UNREACHABLE
        assert (net.lookups, net.connected, net.trapped) == ([], [], 0)

    def test_is_refused_by_a_redirect(self, address):
        # Some of these are harmless there: they are relative, and lead to a page that is not there.
        net = internet(pages={"/": redirect(address)})
        outcome = fetch(net, f"http://{SITE}/")
        assert (outcome.body, outcome.error) == (None, UNREACHABLE)
        assert net.trapped == 0
        assert set(net.connected) == {(PUBLIC, 80)}


@pytest.mark.parametrize("host", NOT_QUITE_NUMBERS)
def test_what_is_no_ip_address_after_all_is_looked_up_as_a_name(host):
    net = internet({host: [["127.0.0.1"]]}, {"/": redirect(f"http://{host}/")})
    assert_kept_out(net, fetch_each(net, f"http://{host}/", f"http://{SITE}/"), 1)
    assert net.lookups == [host, SITE, host]


@pytest.mark.parametrize(
    "location", ["/a\tb", "\t/a", "/a\nb", "/a\r\nb", "/a\\b", "\\\\a\\b", "/\x00", "/\x85", "//[/"]
)
def test_a_redirect_is_not_put_right(location):
    with pytest.raises(FetchError):
        parse_url(f"http://{SITE}/").joined(location)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("ftp://pictures.example/a.jpg", "begins with https://"),
        ("pictures.example/a.jpg", "begins with https://"),
        ("http://me:word@pictures.example/", "user name or password"),
        ("http://pictures.example:8080/", "80 and 443"),
        ("http://pictures.example/" + "a" * 5000, "at most 4,096"),
    ],
)
def test_what_is_wrong_with_the_address_as_written_is_said(address, says):
    error = fetch(internet(), address).error
    assert says in error
    assert "\n" not in error


def test_there_are_more_than_two_hundred():
    assert len({*map(bracketed, IPS), *DISGUISED, *MALFORMED}) > 400


def test_this_machine_by_its_public_address_is_refused(monkeypatch):
    monkeypatch.setattr(addresses, "_source_towards", lambda ip: ip)
    net = internet()
    assert_kept_out(net, [fetch(net, f"http://{PUBLIC}/picture")], 0)


@pytest.mark.parametrize("way_in", ["http://10.0.0.1/", "http://localhost/", f"http://{SITE}/"])
def test_the_trap_counts_who_gets_in(monkeypatch, way_in):
    # Without the check the same fetches do get in: the tests above can fail.
    monkeypatch.setattr(fetching, "is_public", lambda _ip: True)
    monkeypatch.setattr(fetching, "is_own_network", lambda _ip: False)
    net = internet(pages={"/": redirect("http://10.0.0.1/")})
    assert fetch(net, way_in).body == b"secret"
    assert net.trapped == 1
