"""TLS is spoken with the name that was asked for, and only with a server that can prove to be it."""

from __future__ import annotations

import shutil
import ssl
import subprocess

import anyio
import pytest
from fake_internet import PICTURE, PUBLIC, PUBLIC_V6, SITE, Internet, fetch, outcome_of, redirect
from fake_internet import answer as page

from lookalike.faces.server.fetch import UNREACHABLE, Fetcher, FetchLimits

NAMES = {
    SITE: [[PUBLIC]],
    "other.example": [[PUBLIC]],
    "xn--bcher-kva.example": [[PUBLIC]],
    "trick.example": [["10.0.0.1"]],
}
SHORT = FetchLimits(seconds=0.3)
HOLDERS = f"DNS:{SITE},DNS:xn--bcher-kva.example,DNS:trick.example,IP:{PUBLIC},IP:{PUBLIC_V6}"


@pytest.fixture(scope="module")
def server_tls(tmp_path_factory):
    """A server's side of TLS with a certificate of its own making, and the file that holds it."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *("-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", "/CN=test"),
            *("-addext", f"subjectAltName={HOLDERS}"),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, certificate


@pytest.fixture
def net(server_tls):
    """An internet whose servers speak TLS and note for which name they were asked."""
    context, _ = server_tls
    net = Internet(names=NAMES, pages={"/": page()}, tls=context)
    net.asked_for = []
    context.sni_callback = lambda _ssl, name, _context: net.asked_for.append(name)
    return net


@pytest.fixture
def trusting(server_tls):
    return ssl.create_default_context(cafile=server_tls[1])


@pytest.mark.parametrize(
    ("address", "name", "host", "ip"),
    [
        (f"https://{SITE}/", SITE, SITE, PUBLIC),
        (f"https://{SITE.upper()}.:443/", SITE, SITE, PUBLIC),
        ("https://bücher.example/", "xn--bcher-kva.example", "xn--bcher-kva.example", PUBLIC),
        (f"https://{PUBLIC}/", None, PUBLIC, PUBLIC),
        (f"https://[{PUBLIC_V6}]/", None, f"[{PUBLIC_V6}]", PUBLIC_V6),
    ],
)
def test_the_name_goes_into_the_handshake_and_the_request_but_the_connection_to_the_ip_address(
    net, trusting, address, name, host, ip
):
    assert fetch(net, address, trusting=trusting).body == PICTURE
    assert net.connected == [(ip, 443)]
    assert net.asked_for == [name]
    assert f"\r\nHost: {host}\r\n" in net.heads[0]


def test_https_is_spoken_on_port_80_when_the_address_says_so(net, trusting):
    # The server speaks no TLS there: that it is asked at all, and not understood, is what is looked for.
    assert fetch(net, f"https://{SITE}:80/", limits=SHORT, trusting=trusting).error == UNREACHABLE
    assert (net.connected, net.heads) == ([(PUBLIC, 80)], [])


def test_redirects_lead_from_one_scheme_to_the_other(net, trusting):
    net.pages = {
        "/": redirect(f"https://{SITE}/tls"),
        "/tls": redirect(f"http://{SITE}/plain"),
        "/plain": redirect(f"//{SITE}:443/plain-too"),
    }
    fetch(net, f"http://{SITE}/", trusting=trusting)
    assert net.connected == [(PUBLIC, 80), (PUBLIC, 443), (PUBLIC, 80), (PUBLIC, 443)]
    assert [head.split()[1] for head in net.heads] == ["/", "/tls", "/plain"]


def test_a_certificate_for_another_name_is_refused(net, trusting):
    assert fetch(net, "https://other.example/", trusting=trusting).error == UNREACHABLE
    assert (net.asked_for, net.heads) == (["other.example"], [])


def test_a_certificate_that_nobody_vouches_for_is_refused(net):
    assert fetch(net, f"https://{SITE}/").error == UNREACHABLE
    assert (net.asked_for, net.heads) == ([SITE], [])


def test_a_server_without_tls_is_refused(net, trusting):
    net.tls = None
    assert fetch(net, f"https://{SITE}/", limits=SHORT, trusting=trusting).error == UNREACHABLE


def test_a_certificate_opens_no_way_inside(net, trusting):
    net.pages = {"/": redirect("https://trick.example/")}
    assert fetch(net, f"https://{SITE}/", trusting=trusting).error == UNREACHABLE
    assert (net.connected, net.trapped) == ([(PUBLIC, 443)], 0)


def test_certificates_are_checked_when_nobody_says_how(net):
    used = []

    async def connect(*call):
        stream = await net.connect(*call)
        start_tls = stream.start_tls

        async def noted(context, *names, **options):
            used.append(context)
            return await start_tls(context, *names, **options)

        stream.start_tls = noted
        return stream

    async def run():
        async with net:
            return await outcome_of(Fetcher(resolve=net.resolve, connect=connect), f"https://{SITE}/")

    assert anyio.run(run).error == UNREACHABLE
    assert used[0].verify_mode == ssl.CERT_REQUIRED
    assert used[0].check_hostname
    assert used[0].cert_store_stats()["x509_ca"] > 50
