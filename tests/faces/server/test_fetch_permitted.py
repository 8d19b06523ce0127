"""Public addresses are fetched from the IP address that was checked, by a request that tells nothing."""

from __future__ import annotations

import anyio
import pytest
from fake_internet import (
    PICTURE,
    PUBLIC,
    PUBLIC_V6,
    SITE,
    Internet,
    fetch,
    fetch_each,
    outcome_of,
    redirect,
)
from fake_internet import answer as page

from lookalike.faces.server.fetch import UNREACHABLE, Fetcher, FetchLimits
from lookalike.faces.server.urls import parse_url

NAMES = {
    SITE: [[PUBLIC]],
    "six.example": [[PUBLIC_V6]],
    "both.example": [[PUBLIC_V6, PUBLIC]],
    "a-b_c.x1.example": [[PUBLIC]],
    "r3---sn-4g5e6nsz.example": [[PUBLIC]],
    "xn--bcher-kva.example": [[PUBLIC]],
    "xn--fiqs8s.xn--fiqz9s": [[PUBLIC]],
    "xn--strae-oqa.example": [[PUBLIC]],
    "xn--e1afmkfd.xn--p1ai": [[PUBLIC]],
    "localhost.pictures.example": [[PUBLIC]],
    "127.0.0.1.pictures.example": [[PUBLIC]],
    f"{'a' * 63}.example": [[PUBLIC]],
    "example": [[PUBLIC]],
}
V6 = f"[{PUBLIC_V6}]"

# What is fetched → what is asked for, and of whom.
PERMITTED = {
    f"http://{SITE}": ("/", SITE, PUBLIC, 80),
    f"http://{SITE}/": ("/", SITE, PUBLIC, 80),
    f"http://{SITE}:/": ("/", SITE, PUBLIC, 80),
    f"http://{SITE}:80/": ("/", SITE, PUBLIC, 80),
    f"http://{SITE}:443/": ("/", f"{SITE}:443", PUBLIC, 443),
    f"HTTP://{SITE.upper()}/": ("/", SITE, PUBLIC, 80),
    f"hTTp://{SITE}./a.jpg": ("/a.jpg", SITE, PUBLIC, 80),
    f"  http://{SITE}/a.jpg \n": ("/a.jpg", SITE, PUBLIC, 80),
    f"http://{SITE}/a.jpg#part": ("/a.jpg", SITE, PUBLIC, 80),
    f"http://{SITE}#@127.0.0.1/": ("/", SITE, PUBLIC, 80),
    f"http://{SITE}#": ("/", SITE, PUBLIC, 80),
    f"http://{SITE}?": ("/?", SITE, PUBLIC, 80),
    f"http://{SITE}?a=b": ("/?a=b", SITE, PUBLIC, 80),
    f"http://{SITE}?@127.0.0.1/": ("/?@127.0.0.1/", SITE, PUBLIC, 80),
    f"http://{SITE}/@127.0.0.1/": ("/@127.0.0.1/", SITE, PUBLIC, 80),
    f"http://{SITE}/a?b?c=/d&e=http://10.0.0.1/": ("/a?b?c=/d&e=http://10.0.0.1/", SITE, PUBLIC, 80),
    f"http://{SITE}//a//b/": ("//a//b/", SITE, PUBLIC, 80),
    f"http://{SITE}/a/../b/./c": ("/a/../b/./c", SITE, PUBLIC, 80),
    f"http://{SITE}/a:b;c,d=e+f!$'()*~": ("/a:b;c,d=e+f!$'()*~", SITE, PUBLIC, 80),
    f"http://{SITE}/a%20b%2Fc%00": ("/a%20b%2Fc%00", SITE, PUBLIC, 80),
    f"http://{SITE}/100%": ("/100%", SITE, PUBLIC, 80),
    f"http://{SITE}/my photo.jpg": ("/my%20photo.jpg", SITE, PUBLIC, 80),
    f"http://{SITE}/blå/猫.jpg?q=é": ("/bl%C3%A5/%E7%8C%AB.jpg?q=%C3%A9", SITE, PUBLIC, 80),
    f'http://{SITE}/<a>|"b"^`{{}}[]': ("/%3Ca%3E%7C%22b%22%5E%60%7B%7D%5B%5D", SITE, PUBLIC, 80),
    f"http://{SITE}/\u2028\u200b": ("/%E2%80%A8%E2%80%8B", SITE, PUBLIC, 80),
    f"http://{SITE}/{'a' * 3000}": ("/" + "a" * 3000, SITE, PUBLIC, 80),
    f"http://{PUBLIC}/": ("/", PUBLIC, PUBLIC, 80),
    f"http://{PUBLIC}:80/a": ("/a", PUBLIC, PUBLIC, 80),
    f"http://{PUBLIC}:443/a": ("/a", f"{PUBLIC}:443", PUBLIC, 443),
    f"http://{PUBLIC}./a": ("/a", PUBLIC, PUBLIC, 80),
    "http://1572394766/a": ("/a", "1572394766", PUBLIC, 80),
    "http://0x5db8d70e/a": ("/a", "0x5db8d70e", PUBLIC, 80),
    "http://0135.0270.0327.016/a": ("/a", "0135.0270.0327.016", PUBLIC, 80),
    "http://93.12113678/a": ("/a", "93.12113678", PUBLIC, 80),
    f"http://{V6}/": ("/", V6, PUBLIC_V6, 80),
    f"http://{V6}": ("/", V6, PUBLIC_V6, 80),
    f"http://{V6}:80/a": ("/a", V6, PUBLIC_V6, 80),
    f"http://{V6}:443/a": ("/a", f"{V6}:443", PUBLIC_V6, 443),
    f"http://{V6.upper()}/a": ("/a", V6, PUBLIC_V6, 80),
    "http://[2606:2800:021f:cb07:6820:80da:af6b:8b2c]/": ("/", V6, PUBLIC_V6, 80),
    "http://[2606:2800:21f:cb07:6820:80da:175.107.139.44]/": ("/", V6, PUBLIC_V6, 80),
    "http://six.example/": ("/", "six.example", PUBLIC_V6, 80),
    "http://both.example/": ("/", "both.example", PUBLIC_V6, 80),
    "http://a-b_c.x1.example/": ("/", "a-b_c.x1.example", PUBLIC, 80),
    "http://r3---sn-4g5e6nsz.example/": ("/", "r3---sn-4g5e6nsz.example", PUBLIC, 80),
    "http://bücher.example/": ("/", "xn--bcher-kva.example", PUBLIC, 80),
    "http://BÜCHER.example/": ("/", "xn--bcher-kva.example", PUBLIC, 80),
    "http://bu\u0308cher.example/": ("/", "xn--bcher-kva.example", PUBLIC, 80),
    "http://xn--bcher-kva.example/": ("/", "xn--bcher-kva.example", PUBLIC, 80),
    "http://中国.中國/": ("/", "xn--fiqs8s.xn--fiqz9s", PUBLIC, 80),
    "http://中国。中國/": ("/", "xn--fiqs8s.xn--fiqz9s", PUBLIC, 80),
    "http://straße.example/": ("/", "xn--strae-oqa.example", PUBLIC, 80),
    "http://пример.рф/": ("/", "xn--e1afmkfd.xn--p1ai", PUBLIC, 80),
    "http://ｐictures.example/": ("/", SITE, PUBLIC, 80),
    "http://localhost.pictures.example/": ("/", "localhost.pictures.example", PUBLIC, 80),
    "http://127.0.0.1.pictures.example/": ("/", "127.0.0.1.pictures.example", PUBLIC, 80),
    f"http://{'a' * 63}.example/": ("/", f"{'a' * 63}.example", PUBLIC, 80),
    "http://example/": ("/", "example", PUBLIC, 80),
}


def header(head: str, name: str) -> list[str]:
    lines = [line.partition(": ") for line in head.split("\r\n")[1:]]
    return [value for key, _, value in lines if key.lower() == name]


@pytest.mark.parametrize("address", PERMITTED)
def test_a_public_address_is_fetched_from_the_ip_address_that_was_checked(address):
    target, host, ip, port = PERMITTED[address]
    net = Internet(names=NAMES, pages={target: page()})
    assert fetch(net, address).body == PICTURE
    assert (net.connected, net.trapped) == ([(ip, port)], 0)
    assert net.heads[0].startswith(f"GET {target} HTTP/1.1\r\n")
    assert header(net.heads[0], "host") == [host]


def test_there_are_more_than_fifty():
    assert len(PERMITTED) > 50


@pytest.mark.parametrize("address", PERMITTED)
def test_what_was_read_is_read_the_same_when_it_is_written_out(address):
    assert parse_url(str(parse_url(address))) == parse_url(address)


@pytest.mark.parametrize(
    "location",
    [
        *("/there", "there", "./there", "x/../there", "/there#part", "http:there", " /there "),
        *(f"http://{SITE}/there", f"//{SITE}/there", f"HTTP://{PUBLIC}/there", f"http://{V6}/there"),
        "http://both.example/there",
    ],
)
@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"]
)
def test_a_redirect_is_followed(location, status):
    net = Internet(names=NAMES, pages={"/": redirect(location, status), "/there": page()})
    assert fetch(net, f"http://{SITE}/").body == PICTURE
    assert len(net.connected) == 2
    assert net.heads[1].startswith("GET /there HTTP/1.1")


def test_redirects_may_have_marks_that_need_encoding():
    pages = {"/": redirect("/my blå photo.jpg"), "/my%20bl%C3%A5%20photo.jpg": page()}
    net = Internet(names=NAMES, pages=pages)
    assert fetch(net, f"http://{SITE}/").body == PICTURE


@pytest.mark.parametrize(("redirects", "followed"), [(1, True), (2, True), (3, True), (4, False), (5, False)])
def test_three_redirects_are_followed_and_no_more(redirects, followed):
    pages = {f"/{n}": redirect(f"/{n - 1}") for n in range(1, redirects + 1)} | {"/0": page()}
    net = Internet(names=NAMES, pages=pages)
    outcome = fetch(net, f"http://{SITE}/{redirects}")
    assert (outcome.body, outcome.error) == ((PICTURE, None) if followed else (None, UNREACHABLE))
    assert len(net.connected) == min(redirects, 3) + 1


def test_the_request_has_no_cookie_referer_or_password(monkeypatch, tmp_path):
    secrets = tmp_path / "netrc"
    secrets.write_text(f"machine {SITE} login me password word")
    monkeypatch.setenv("NETRC", str(secrets))
    first = page(b"", "Set-Cookie: a=b; Path=/", "Location: /there", status="302 Found")
    net = Internet(names=NAMES, pages={"/": first, "/there": page()})
    assert fetch(net, f"http://{SITE}/").body == PICTURE
    for head in net.heads:
        lines = head.split("\r\n")
        assert sorted(line.partition(":")[0].lower() for line in lines[1:] if line) == [
            *("accept", "accept-encoding", "connection", "host", "user-agent")
        ]
        assert header(head, "accept-encoding") == ["identity"]


def test_proxies_of_the_environment_are_not_asked(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://10.0.0.1:3128")
    net = Internet(names=NAMES, pages={"/": page()})
    assert fetch(net, f"http://{SITE}/").body == PICTURE
    assert (net.connected, net.trapped) == ([(PUBLIC, 80)], 0)


def test_each_address_of_a_name_is_tried_until_one_answers():
    net = Internet(names={SITE: [["8.8.8.8", PUBLIC]]}, pages={"/": page()}, closed=["8.8.8.8"])
    assert fetch(net, f"http://{SITE}/").body == PICTURE
    assert net.connected == [("8.8.8.8", 80), (PUBLIC, 80)]


def test_four_addresses_of_a_name_are_tried_and_no_more():
    ips = [f"8.8.8.{n}" for n in range(1, 9)]
    net = Internet(names={SITE: [ips]}, closed=ips)
    assert fetch(net, f"http://{SITE}/").error == UNREACHABLE
    assert net.connected == [(ip, 80) for ip in ips[:4]]


def test_every_fetch_looks_up_and_connects_anew():
    net = Internet(names=NAMES, pages={"/": page(PICTURE, f"Content-Length: {len(PICTURE)}")})
    assert [each.body for each in fetch_each(net, *[f"http://{SITE}/"] * 3)] == [PICTURE] * 3
    assert net.lookups == [SITE] * 3
    assert len(net.connected) == 3


def test_no_more_run_at_once_than_permitted():
    running, most = 0, 0

    async def slowly(stream):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await anyio.sleep(0.02)
        running -= 1
        await stream.send(page())

    async def run():
        async with Internet(names=NAMES, pages={"/": slowly}) as net:
            limits = FetchLimits(seconds=5, at_once=3)
            fetcher = Fetcher(limits, resolve=net.resolve, connect=net.connect)
            async with anyio.create_task_group() as tasks:
                for _ in range(10):
                    tasks.start_soon(collect, fetcher)

    async def collect(fetcher):
        outcomes.append(await outcome_of(fetcher, f"http://{SITE}/"))

    outcomes = []
    anyio.run(run)
    assert [outcome.body for outcome in outcomes] == [PICTURE] * 10
    assert most == 3
