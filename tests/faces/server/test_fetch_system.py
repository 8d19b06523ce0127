"""Look-ups and connections as the system makes them, without asking anybody beyond this machine."""

from __future__ import annotations

import socket
import threading

import anyio
import httpcore2
import pytest
from fake_internet import PICTURE, PUBLIC, SITE, Internet, outcome_of
from fake_internet import answer as page

from lookalike.faces.server.fetch import UNREACHABLE, Fetcher, FetchLimits, open_stream, system_resolve

SHORT = FetchLimits(seconds=0.15, connect_seconds=0.05)


def own_fetch(address, resolve=system_resolve, connect=open_stream):
    outcome = anyio.run(outcome_of, Fetcher(SHORT, resolve=resolve, connect=connect), address)
    assert outcome.seconds < SHORT.seconds + 0.5
    return outcome


@pytest.mark.parametrize("failure", [socket.gaierror(-2, "?"), OSError(), UnicodeError(), TimeoutError()])
def test_a_name_that_cannot_be_looked_up(monkeypatch, failure):
    def fail(*_, **__):
        raise failure

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert own_fetch(f"http://{SITE}/").error == UNREACHABLE


@pytest.mark.parametrize("answer", [[], ["not an address"], ["fe80::1%eth0"], [f"{PUBLIC}%1"]])
def test_a_name_with_a_useless_answer(answer):
    async def resolve(_host, _port):
        return answer

    assert own_fetch(f"http://{SITE}/", resolve).error == UNREACHABLE


def test_a_look_up_that_hangs_is_left_alone(monkeypatch):
    go_on = threading.Event()
    asked = []

    def hang(host, *_, **__):
        asked.append(host)
        go_on.wait(5)
        return []

    async def run():
        try:
            return await outcome_of(Fetcher(SHORT), f"http://{SITE}/")
        finally:
            go_on.set()

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    outcome = anyio.run(run)
    assert (outcome.error, asked) == (UNREACHABLE, [SITE])
    assert outcome.seconds < SHORT.seconds + 0.5


def test_the_systems_look_up_reads_numbers_and_knows_this_machine():
    assert anyio.run(system_resolve, "127.0.0.1", 80) == ["127.0.0.1"]
    assert anyio.run(system_resolve, "::1", 80) == ["::1"]
    assert set(anyio.run(system_resolve, "localhost", 80)) <= {"127.0.0.1", "::1"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]"])
def test_this_machine_is_not_connected_to_by_what_the_system_finds(host):
    calls = []

    async def connect(*call):
        calls.append(call)
        raise httpcore2.ConnectError

    assert own_fetch(f"http://{host}/", connect=connect).error == UNREACHABLE
    assert calls == []


def test_a_port_that_is_closed():
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = server.getsockname()[1]

    async def resolve(_host, _port):
        return [PUBLIC]

    async def connect(_ip, _port, seconds):
        return await open_stream("127.0.0.1", closed, seconds)

    assert own_fetch(f"http://{SITE}/", resolve, connect).error == UNREACHABLE


def test_a_connection_that_hangs_leaves_time_for_the_next_address():
    async def run():
        async with Internet(pages={"/": page()}) as net:

            async def resolve(_host, _port):
                return ["8.8.8.8", PUBLIC]

            async def connect(ip, port, seconds):
                if ip != PUBLIC:
                    await anyio.sleep(seconds)
                    raise httpcore2.ConnectTimeout
                return await net.connect(ip, port, seconds)

            return await outcome_of(Fetcher(limits, resolve=resolve, connect=connect), f"http://{SITE}/")

    limits = FetchLimits(seconds=5, connect_seconds=0.05)
    assert anyio.run(run).body == PICTURE
