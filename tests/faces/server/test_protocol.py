"""What a connection may cost: slow, silent, garbled and greedy clients against a real server."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import socket
import time

import h11
import pytest
from live_server import (
    app,
    check_error,
    eventually,
    read_all,
    read_answer,
    send_until_cut,
    serving,
    status_of,
    undisturbed,
)
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from lookalike.faces.server.limits import RequestLimits
from lookalike.faces.server.protocol import BoundedProtocol, ConnectionLimits, bounded, within_open_files

SHORT = ConnectionLimits(header_seconds=0.4, write_seconds=0.4, linger_seconds=0.3)


@pytest.fixture(scope="module")
def server():
    with serving(connections=SHORT) as live:
        yield live


@pytest.fixture
def live(server):
    """The module's server, of which every test must leave nothing."""
    yield server
    server.check_nothing_is_left()


def until_closed(sock: socket.socket) -> tuple[float, bytes]:
    begun = time.monotonic()
    answer = read_all(sock)
    return time.monotonic() - begun, answer


def test_headers_one_byte_at_a_time_are_cut_off(live):
    with live.connect() as sock, undisturbed(live):
        begun = time.monotonic()
        with contextlib.suppress(OSError):
            for byte in live.head("GET /", "X: " + "y" * 200):
                sock.sendall(bytes([byte]))
                time.sleep(0.05)
        assert 0.1 < time.monotonic() - begun < 8  # all of them would take 11
        assert read_all(sock) == b""


def test_a_connection_without_a_word_is_closed(live):
    with live.connect() as sock, undisturbed(live):
        seconds, answer = until_closed(sock)
        assert 0.1 < seconds < 8
        assert answer == b""


def test_a_second_request_has_its_time_from_its_first_byte(live):
    with live.connect() as sock, undisturbed(live):
        sock.sendall(live.head("GET /"))
        assert status_of(read_answer(sock)) == 200
        time.sleep(0.6)  # longer than headers may take, shorter than connections are kept
        sock.sendall(live.head("GET /"))
        assert status_of(read_answer(sock)) == 200
        with contextlib.suppress(OSError):
            begun = time.monotonic()
            for byte in live.head("GET /", "X: " + "y" * 200):
                sock.sendall(bytes([byte]))
                time.sleep(0.05)
        assert 0.1 < time.monotonic() - begun < 8  # all of them would take 11


def test_a_request_that_takes_longer_than_headers_may_is_let_be():
    async def slow(scope, receive, send):
        if scope["type"] == "http":
            await asyncio.sleep(0.8)
        await app(scope, receive, send)

    with serving(connections=SHORT, inner=slow) as live:
        assert live.get() == (200, b"hello")


def test_a_client_that_never_reads_is_cut_off(live):
    with live.connect(4096) as sock, undisturbed(live):
        sock.sendall(live.head("GET /big"))
        assert eventually(lambda: live.limiter.requests >= 1)
        assert eventually(lambda: len(big_ones(live)) == 0)


def big_ones(live):
    return [
        one for one in list(live.server.server_state.connections) if one.scope and one.scope["path"] == "/big"
    ]


def test_a_client_that_sips_at_its_answer_is_cut_off(live):
    with live.connect(4096) as sock, undisturbed(live):
        sock.sendall(live.head("GET /big"))
        assert eventually(lambda: bool(big_ones(live)))
        begun, got = time.monotonic(), 0
        while time.monotonic() - begun < 15 and big_ones(live):
            got += len(sock.recv(200))
            time.sleep(0.02)
        assert not big_ones(live)
        assert got > 1_000


def test_a_client_that_reads_slowly_but_surely_gets_everything():
    limits = ConnectionLimits(header_seconds=0.4, write_seconds=0.2, linger_seconds=0.3)
    with serving(connections=limits) as live, live.connect() as sock:
        sock.sendall(live.head("GET /big", "Connection: close"))
        got, begun = 0, time.monotonic()
        while part := sock.recv(1 << 19):
            got += len(part)
            if time.monotonic() - begun < 0.8:
                time.sleep(0.02)
        assert got > 64 << 20
        assert time.monotonic() - begun > 3 * limits.write_seconds


def test_a_half_closed_client_that_never_reads_is_cut_off(live):
    """asyncio alone would wait for ever to flush what such a client leaves."""
    with live.connect(4096) as sock:
        sock.sendall(live.head("GET /big"))
        assert eventually(lambda: bool(big_ones(live)))
        time.sleep(0.05)
        sock.shutdown(socket.SHUT_WR)
        assert eventually(lambda: live.open_connections == 0)


def test_half_closed_clients_leave_nothing():
    """They are closed at once: no time limit ends within four seconds."""
    requests = RequestLimits(body_seconds=60, chunk_seconds=60)
    with serving(requests, ConnectionLimits(header_seconds=60)) as live, undisturbed(live):
        for sent in (b"", b"GET", live.head("GET /"), live.head("POST /read", "Content-Length: 9") + b"12"):
            with live.connect() as sock:
                sock.sendall(sent)
                sock.shutdown(socket.SHUT_WR)
                seconds, _ = until_closed(sock)
                assert seconds < 4


@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(b"X-%d: " + b"y" * 500 + b"\r\n", id="many headers"),
        pytest.param(b"y" * 4096, id="one endless line"),
    ],
)
def test_endless_headers_are_cut_off(live, bomb):
    with live.connect() as sock, undisturbed(live):
        sock.sendall(live.head("GET /")[:-2])
        send_until_cut(sock, bomb, 0.001)


@pytest.mark.parametrize("size", [17_000, 40_000, 300_000, 3_000_000])
def test_long_headers_are_answered_and_do_not_pass(live, size):
    """Also those that come complete at once, which h11 alone would let pass."""
    with live.connect() as sock:
        lines = b"A: b\r\n" * (size // 6)
        sock.sendall(live.head("GET /", "Connection: close")[:-2] + lines + b"\r\n")
        answer = read_all(sock)
        if size > 25_000:
            check_error(answer, 400, "bad_request")
        else:
            assert status_of(answer) in (200, 400)


def test_ordinary_long_headers_pass(live):
    with live.connect() as sock:
        sock.sendall(live.head("GET /", "Cookie: a=" + "b" * 8_000, "Connection: close"))
        assert status_of(read_all(sock)) == 200


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),  # a TLS hello
        b"\0" * 1000,
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nBad header\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"\r\nGET / HTTP/1.1\r\n\r\n",
        b"\r\n" * 10_000,
        bytes(range(256)) * 2000,
    ],
)
def test_garbage_is_answered_and_cut_off(live, garbage):
    with live.connect() as sock, undisturbed(live):
        with contextlib.suppress(OSError):
            sock.sendall(garbage)
        seconds, answer = until_closed(sock)
        check_error(answer, 400, "bad_request")
        assert seconds < 4


def test_a_body_in_crumbs_is_cut_off():
    """Each costs the parser as much as a large piece, and everybody else would wait for it."""
    requests = RequestLimits(max_body_bytes=16 << 20)
    with serving(requests, SHORT) as live, live.connect() as sock, undisturbed(live):
        sock.sendall(live.head("POST /read", "Transfer-Encoding: chunked"))
        with contextlib.suppress(ConnectionError):
            sock.sendall(b"1\r\nx\r\n" * 500_000)
        seconds, answer = until_closed(sock)
        assert seconds < 4
        assert answer == b"" or status_of(answer) == 400  # a reset may have overtaken the answer


@pytest.mark.parametrize(("size", "count"), [(1, 900), (300, 5_000)])
def test_a_body_in_small_pieces_passes(size, count):
    with serving(RequestLimits(max_body_bytes=16 << 20), SHORT) as live, live.connect() as sock:
        sock.sendall(live.head("POST /read", "Transfer-Encoding: chunked", "Connection: close"))
        sock.sendall(b"%x\r\n%s\r\n" % (size, bytes(size)) * count + b"0\r\n\r\n")
        assert read_all(sock).endswith(str(size * count).encode())


def test_garbage_after_an_answer_raises_nothing(live):
    """uvicorn alone would try to answer a second time and log the exception."""
    with live.connect() as sock:
        sock.sendall(live.head("POST /early", "Transfer-Encoding: chunked"))
        assert status_of(read_answer(sock)) == 200
        sock.sendall(b"no chunk\r\n" * 5)
        seconds, more = until_closed(sock)
        assert more == b""
        assert seconds < 4


def test_an_answer_arrives_though_the_body_was_not_read():
    """Also where reading had paused, because the app was slow to want any of it."""

    async def slow(scope, receive, send):
        if scope["type"] == "http":
            await asyncio.sleep(0.2)
        await app(scope, receive, send)

    requests = RequestLimits(max_body_bytes=16 << 20)
    with serving(requests, SHORT, slow) as live, live.connect() as sock:
        sock.sendall(live.head("POST /", f"Content-Length: {8 << 20}"))
        sock.sendall(bytes(8 << 20))
        assert read_all(sock).endswith(b"hello")


def test_a_body_that_nobody_wants_does_not_keep_the_connection(live):
    with live.connect() as sock, undisturbed(live):
        sock.sendall(live.head("GET /", "Content-Length: 60000"))
        assert status_of(read_answer(sock)) == 200
        send_until_cut(sock, b"x", 0.05)


def test_pipelined_requests_are_answered_in_turn(live):
    with live.connect() as sock, undisturbed(live):
        post = live.head("POST /read", "Content-Length: 3") + b"abc"
        last = live.head("GET /", "Connection: close")
        sock.sendall((live.head("GET /") + post) * 200 + last)
        answers = read_all(sock)
        assert answers.count(b"HTTP/1.1 200 OK") == 401
        assert answers.count(b"\r\n\r\n3") == 200


def test_pipelined_requests_that_break_off_are_cut_off(live):
    with live.connect() as sock, undisturbed(live):
        sock.sendall(live.head("GET /") * 3 + live.head("GET /")[:30])
        seconds, answers = until_closed(sock)
        assert answers.count(b"HTTP/1.1 200 OK") == 3
        assert seconds < 8  # with what remains of keep-alive


def test_who_pipelines_without_reading_is_cut_off(live):
    with live.connect(4096) as sock, undisturbed(live):
        sock.settimeout(0.05)
        begun = time.monotonic()
        with pytest.raises(ConnectionError):
            while time.monotonic() - begun < 15:
                with contextlib.suppress(TimeoutError):
                    sock.sendall(live.head("GET /big") * 100)


def test_connections_beyond_the_limit_are_answered_and_closed():
    limits = ConnectionLimits(max_connections=20, header_seconds=0.8, linger_seconds=0.3)
    with serving(connections=limits) as live, contextlib.ExitStack() as stack:
        held = [stack.enter_context(live.connect()) for _ in range(20)]
        assert eventually(lambda: live.open_connections == 20)
        for _ in range(5):
            with live.connect() as sock:
                seconds, answer = until_closed(sock)
                check_error(answer, 503, "busy")
                assert b"\r\nretry-after: 1\r\n" in answer
                assert seconds < 4
        for sock in held:
            sock.sendall(live.head("GET /", "Connection: close"))
            assert status_of(read_all(sock)) == 200
        assert eventually(lambda: live.open_connections == 0)
        with undisturbed(live):
            assert eventually(lambda: live.open_connections == 1)


def test_a_crowd_of_slow_clients_disturbs_nobody():
    with (
        serving(RequestLimits(body_seconds=0.5, chunk_seconds=0.5), SHORT) as live,
        contextlib.ExitStack() as stack,
    ):
        crowd = [stack.enter_context(live.connect(4096)) for _ in range(100)]
        starts = [
            b"",
            b"GET /",
            live.head("POST /read", "Content-Length: 99"),
            live.head("GET /big"),
            b"\0" * 99,
        ]
        with undisturbed(live):
            for number, sock in enumerate(crowd):
                sock.sendall(starts[number % len(starts)])
            assert eventually(lambda: live.open_connections <= 5, 5)


def test_upgrades_are_ignored_in_silence(live, caplog):
    with live.connect() as sock:
        headers = (
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: x",
            "Sec-WebSocket-Version: 13",
        )
        sock.sendall(live.head("GET /", *headers))
        assert status_of(read_answer(sock)) == 200
        sock.sendall(live.head("GET /", "Upgrade: h2c", "Connection: Upgrade, close"))
        assert status_of(read_all(sock)) == 200
    assert not [record for record in caplog.records if "pgrade" in record.getMessage()]


def test_the_server_ends_though_clients_linger():
    started = time.monotonic()
    with serving(connections=ConnectionLimits(linger_seconds=0.3)) as live:
        idle, halfway = live.connect(), live.connect()
        halfway.sendall(b"GET / HT")
        assert eventually(lambda: live.open_connections == 2)
        live.server.should_exit = True
    assert time.monotonic() - started < 20
    for sock in (idle, halfway):
        with sock:
            assert read_all(sock) == b""


def test_the_server_ends_though_an_app_broke_its_promise():
    """h11 refuses to go on after too short an answer, also to say that the connection ends."""

    async def broken(scope, receive, send):
        if scope["type"] != "http" or scope["path"] != "/broken":
            await app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        await send({"type": "http.response.body", "body": b"short"})

    with (
        serving(connections=ConnectionLimits(linger_seconds=0.5), inner=broken) as live,
        live.connect() as sock,
    ):
        sock.sendall(live.head("GET /broken"))
        assert eventually(lambda: any(record.exc_info for record in live.log.records))
        live.log.records.clear()
        live.server.should_exit = True
        assert read_all(sock).endswith(b"short")
        assert eventually(lambda: live.open_connections == 0)


def test_uvicorn_still_has_what_is_overridden_and_used():
    """A newer uvicorn may rename what is overridden here, and the limits would silently be gone."""
    own = {name for name, value in vars(BoundedProtocol).items() if inspect.isfunction(value)}
    overridden = {
        name for name in own if f"super().{name}(" in inspect.getsource(getattr(BoundedProtocol, name))
    }
    overridden |= {"send_400_response", "_unsupported_upgrade_warning"}
    assert overridden == {
        "__init__",
        "connection_made",
        "connection_lost",
        "data_received",
        "on_response_complete",
        "send_400_response",
        "shutdown",
        "_unsupported_upgrade_warning",
    }
    for name in overridden:
        assert inspect.signature(getattr(BoundedProtocol, name)).parameters.keys() >= (
            inspect.signature(getattr(H11Protocol, name)).parameters.keys() if name != "__init__" else set()
        )
    source = inspect.getsource(H11Protocol)
    for used in (
        "self.conn = h11.Connection(",
        "self.conn.next_event()",
        "self.conn.receive_data(data)",
        "self.transport = transport",
        "self.connections.add(self)",
        "self.connections.discard(self)",
        "on_response=self.on_response_complete",
        "self.send_400_response(",
        "self._unsupported_upgrade_warning()",
    ):
        assert used in source, f"uvicorn no longer has {used!r}"
    # Everything that uvicorn asks of the transport is passed on, but for what is counted or delayed.
    used = source + inspect.getsource(RequestResponseCycle) + inspect.getsource(FlowControl)
    assert "transport._" not in used
    assert {"IDLE", "SEND_BODY", "SEND_RESPONSE"} <= set(dir(h11))


def test_the_limits_belong_to_the_server_that_was_given_them():
    assert bounded(SHORT).limits is SHORT
    assert bounded().limits == BoundedProtocol.limits == ConnectionLimits()


def test_no_more_connections_than_files():
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft = before[0] if before[0] > 0 else 1 << 20
    try:
        assert within_open_files(ConnectionLimits(max_connections=10)).max_connections == 10
        resource.setrlimit(resource.RLIMIT_NOFILE, (700, before[1]))
        assert within_open_files(ConnectionLimits(max_connections=400)).max_connections == 400
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 912
        if before[1] > 0:
            fitted = within_open_files(ConnectionLimits(max_connections=before[1] * 2))
            assert fitted.max_connections == before[1] - 512
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, before[1]))
