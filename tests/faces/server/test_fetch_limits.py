"""Whatever a server does, a fetch ends in time, within its size and with the one message."""

from __future__ import annotations

import gzip
import socket
import ssl
import struct
import time

import anyio
import httpcore2
import pytest
from fake_internet import PICTURE, PUBLIC, SITE, Internet, fetch, outcome_of, redirect
from fake_internet import answer as page

from lookalike.faces.server.fetch import UNREACHABLE, Fetcher, FetchLimits

NAMES = {SITE: [[PUBLIC]]}
SHORT = FetchLimits(seconds=0.15, at_once=2)
MANY = 10_000_000
AMPLE = FetchLimits(seconds=10, body_bytes=100_000)
PAGE = page()
TOO_LARGE = "what is at this address is larger than 0.1 MB"


def endlessly(start: bytes, again: bytes, pause: float = 0.0):
    async def send(stream):
        await stream.send(start)
        while True:
            await stream.send(again)
            await anyio.sleep(pause)

    return send


async def silence(_stream):
    await anyio.sleep_forever()


async def reset(stream):
    raw = stream.extra(anyio.abc.SocketAttribute.raw_socket)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def fetched(page, limits=AMPLE):
    outcome = fetch(
        Internet(names=NAMES, pages={"/": page, "/picture": PAGE}), f"http://{SITE}/", limits=limits
    )
    assert outcome.seconds < limits.seconds + 4
    return outcome


TROUBLES = {
    "never answers": silence,
    "drips its head": endlessly(b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.01),
    "drips its body": endlessly(page(b""), b"x", 0.01),
    "drips chunks": endlessly(page(b"", "Transfer-Encoding: chunked"), b"1\r\nx\r\n", 0.01),
    "begins and stops": endlessly(page(b"begun"), b"", 1),
    "sends endless headers": endlessly(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 1000),
    "sends an endless header": endlessly(b"HTTP/1.1 200 OK\r\nX: ", b"y" * 10_000),
    "sends an endless status": endlessly(b"HTTP/1.1 200 ", b"y" * 10_000),
    "sends an endless chunk head": endlessly(page(b"", "Transfer-Encoding: chunked"), b"0" * 10_000),
    "sends endless trailers": endlessly(page(b"0\r\n", "Transfer-Encoding: chunked"), b"X: y\r\n" * 1000),
    "says endlessly that it goes on": endlessly(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "sends a huge header": page(PICTURE, "X: " + "y" * 1_000_000),
    "sends a thousand headers": page(PICTURE, *[f"X-{n}: {'y' * 200}" for n in range(1000)]),
    "closes at once": b"",
    "resets the connection": reset,
    "closes within its head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "promises more than it sends": page(PICTURE, f"Content-Length: {len(PICTURE) + 1}"),
    "closes within a chunk": page(b"5\r\nabc", "Transfer-Encoding: chunked"),
    "closes between chunks": page(b"3\r\nabc\r\n", "Transfer-Encoding: chunked"),
    "sends a chunk of no length": page(b"zz\r\nabc\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
    "sends a chunk of negative length": page(b"-5\r\nabc\r\n0\r\n\r\n", "Transfer-Encoding: chunked"),
    "promises a negative length": page(PICTURE, "Content-Length: -1"),
    "promises a length that is none": page(PICTURE, "Content-Length: 0x10"),
    "promises a length of 5000 digits": page(PICTURE, "Content-Length: " + "9" * 5000),
    "promises two lengths": page(PICTURE, "Content-Length: 5", "Content-Length: 6"),
    "packs with gzip": page(gzip.compress(PICTURE), "Content-Encoding: gzip"),
    "packs a bomb": page(gzip.compress(bytes(MANY)), "Content-Encoding: gzip"),
    "packs twice": page(PICTURE, "Content-Encoding: identity", "Content-Encoding: br"),
    "packs what it calls nothing": page(PICTURE, "Content-Encoding: "),
    "packs while sending": page(gzip.compress(PICTURE), "Transfer-Encoding: gzip, chunked"),
    "speaks no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "speaks HTTP/0.9": PICTURE,
    "speaks HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "sends a status that is none": b"HTTP/1.1 2000 OK\r\n\r\n",
    "sends headers that are none": b"HTTP/1.1 200 OK\r\n: x\r\n\r\n",
    "changes the protocol": page(b"", "Upgrade: websocket", status="101 Switching Protocols"),
    "redirects nowhere": page(b"", status="302 Found"),
    "redirects to two places": page(b"", "Location: /picture", "Location: /picture", status="302 Found"),
    "redirects to itself": redirect("/"),
    "redirects to nothing": redirect(""),
    "redirects to bytes that are no text": b"HTTP/1.1 302 Found\r\nLocation: /\xff\r\n\r\n",
    **{
        f"answers {status}": page(PICTURE, status=f"{status} Reason")
        for status in (201, 202, 203, 204, 205, 206, 226, 300, 304, 305, 306)
    },
    **{
        f"answers {status}": page(PICTURE, status=f"{status} Reason")
        for status in (400, 401, 402, 403, 404, 405, 407, 410, 418, 429, 451, 500, 502, 503, 504, 511, 599)
    },
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_server_that(trouble):
    assert fetched(TROUBLES[trouble], SHORT).error == UNREACHABLE


@pytest.mark.parametrize(
    "page",
    [
        endlessly(page(b""), b"x" * 10_000),
        endlessly(page(b"", "Transfer-Encoding: chunked"), b"2710\r\n" + b"x" * 10_000 + b"\r\n"),
        page(bytes(100_001)),
        page(bytes(100_001), "Content-Length: 100001"),
        page(b"", "Content-Length: 100001"),
        page(b"", "Content-Length: 99999999999999999999"),
    ],
    ids=["endless", "endless chunks", "one more", "one more, as promised", "promised", "promised, absurd"],
)
def test_a_body_that_is_too_large_is_said_to_be(page):
    assert fetched(page).error == TOO_LARGE


def test_a_lying_length_hides_nothing():
    # What comes after the promised length is not of this body, and is not waited for.
    assert fetched(endlessly(page(b"", "Content-Length: 5"), b"12345")).body == b"12345"


@pytest.mark.parametrize("headers", [(), ("Content-Length: 100000",), ("Content-Encoding: Identity",)])
def test_a_body_of_just_the_size_is_fetched(headers):
    assert fetched(page(bytes(100_000), *headers)).body == bytes(100_000)


def test_ten_megabytes_and_ten_seconds_are_what_it_may_cost():
    assert FetchLimits() == FetchLimits(
        seconds=10, connect_seconds=3, body_bytes=10_000_000, redirects=3, at_once=8
    )


def test_time_runs_through_redirects():
    async def late(stream):
        await anyio.sleep(0.06)
        await stream.send(redirect("/"))

    outcome = fetched(late, SHORT)
    assert outcome.error == UNREACHABLE
    assert outcome.seconds > 0.1


def test_a_handshake_that_hangs():
    net = Internet(names=NAMES, pages={})
    outcome = fetch(net, f"https://{SITE}/", limits=SHORT)
    assert outcome.error == UNREACHABLE
    assert outcome.seconds < SHORT.seconds + 4


def test_waiting_for_a_turn_is_part_of_the_time():
    async def run():
        async with Internet(names=NAMES, pages={"/": silence}) as net:
            fetcher = Fetcher(SHORT, resolve=net.resolve, connect=net.connect)
            async with anyio.create_task_group() as tasks:
                for _ in range(6):
                    tasks.start_soon(collect, fetcher)

    async def collect(fetcher):
        outcomes.append(await outcome_of(fetcher, f"http://{SITE}/"))

    outcomes = []
    anyio.run(run)
    assert [outcome.error for outcome in outcomes] == [UNREACHABLE] * 6
    assert max(outcome.seconds for outcome in outcomes) < SHORT.seconds + 0.5


@pytest.mark.parametrize("page", [silence, endlessly(page(b""), b"x", 0.01)], ids=["head", "body"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_fetch_that_is_called_off_closes_its_connection(page, scheme):
    opened = []
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    async def run():
        async with Internet(names=NAMES, pages={"/": page}) as net:

            async def connect(*call):
                opened.append(await net.connect(*call))
                return opened[-1]

            async with anyio.create_task_group() as tasks:
                fetcher = Fetcher(resolve=net.resolve, connect=connect, tls=tls)
                tasks.start_soon(fetcher.fetch, f"{scheme}://{SITE}/")
                while not opened:
                    await anyio.sleep(0.005)
                await anyio.sleep(0.03)
                tasks.cancel_scope.cancel()
            assert opened[0].get_extra_info("socket").fileno() == -1

    anyio.run(run)
    assert len(opened) == 1


class Flood(httpcore2.AsyncNetworkStream):
    """A connection on which there is always more, without any waiting."""

    def __init__(self, start, again):
        self._coming, self._again = start, again

    async def read(self, max_bytes, timeout=None):
        self._coming += self._again * (max_bytes // len(self._again) + 1)
        now, self._coming = self._coming[:max_bytes], self._coming[max_bytes:]
        return now

    async def write(self, buffer, timeout=None):
        pass

    async def aclose(self):
        pass


@pytest.mark.parametrize(
    ("start", "again"),
    [(page(b"", "Transfer-Encoding: chunked"), b"1\r\nx\r\n"), (b"", b"HTTP/1.1 100 Continue\r\n\r\n")],
    ids=["chunks", "interim answers"],
)
def test_a_flood_of_crumbs_leaves_others_their_turns_and_ends_in_time(start, again):
    waits = []

    async def others():
        while True:
            began = time.process_time()  # counts this process alone, so that a busy machine fails no test
            await anyio.sleep(0)
            waits.append(time.process_time() - began)

    async def connect(*_):
        return Flood(start, again)

    async def run():
        async with Internet(names=NAMES) as net, anyio.create_task_group() as tasks:
            tasks.start_soon(others)
            fetcher = Fetcher(FetchLimits(seconds=1), resolve=net.resolve, connect=connect)
            outcome = await outcome_of(fetcher, f"http://{SITE}/")
            tasks.cancel_scope.cancel()
            return outcome

    outcome = anyio.run(run)
    assert outcome.error == UNREACHABLE
    assert outcome.seconds < 5
    assert max(waits) < 0.08
