"""How much may be asked: bodies that are too large, too slow or too many, against a real server."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from dataclasses import replace

import pytest
from live_server import (
    MIB,
    app,
    check_error,
    eventually,
    read_all,
    send_until_cut,
    serving,
    status_of,
    undisturbed,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lookalike.faces.server.limits import Limiter, RequestLimits
from lookalike.faces.server.protocol import ConnectionLimits

SMALL = RequestLimits(
    max_body_bytes=1_000,
    max_upload_bytes=100_000,
    body_seconds=0.6,
    chunk_seconds=0.25,
)
SHORT = ConnectionLimits(header_seconds=0.4, write_seconds=0.4, linger_seconds=0.3)


@pytest.fixture(scope="module")
def server():
    with serving(SMALL, SHORT) as live:
        yield live


@pytest.fixture
def live(server):
    """The module's server, of which every test must leave nothing."""
    yield server
    server.check_nothing_is_left()


def exchange(live, *parts: bytes) -> bytes:
    with live.connect() as sock:
        for part in parts:
            sock.sendall(part)
        return read_all(sock)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@pytest.mark.parametrize(
    ("method", "path", "most"),
    [("POST", "/api/search", 100_000), ("PUT", "/api/search", 1_000), ("POST", "/read", 1_000)],
)
def test_the_largest_body_passes_and_one_byte_more_does_not(live, method, path, most):
    for framing in ("length", "chunks"):
        for size in (most, most + 1):
            header = f"Content-Length: {size}" if framing == "length" else "Transfer-Encoding: chunked"
            body = (
                bytes(size)
                if framing == "length"
                else chunk(bytes(size - 9)) + chunk(bytes(9)) + b"0\r\n\r\n"
            )
            answer = exchange(live, live.head(f"{method} {path}", header, "Connection: close"), body)
            if size > most:
                check_error(answer, 413, "too_large")
            elif path == "/read" or method == "POST":
                assert status_of(answer) == 200
                assert answer.endswith(str(size).encode())


@pytest.mark.parametrize(
    ("path", "length"),
    [("/read", "1001"), ("/read", "20000000000"), ("/read", "9" * 20), ("/api/search", "100001")],
)
def test_a_huge_length_is_refused_at_once(live, path, length):
    with live.connect() as sock, undisturbed(live):
        sock.sendall(live.head(f"POST {path}", f"Content-Length: {length}"))
        check_error(read_all(sock), 413, "too_large")  # later it would be 408


def test_who_waits_to_be_asked_for_a_huge_body_never_is(live):
    head = live.head("POST /read", "Content-Length: 5000", "Expect: 100-continue")
    answer = exchange(live, head)
    check_error(answer, 413, "too_large")
    assert b"connection: close" in answer.lower()


def test_the_answer_arrives_though_the_client_goes_on_sending(live):
    with live.connect() as sock, undisturbed(live):
        sock.sendall(live.head("POST /read", "Content-Length: 900000000"))
        cut = threading.Event()
        sender = threading.Thread(target=lambda: (send_until_cut(sock, bytes(100_000), 0.005), cut.set()))
        sender.start()
        check_error(read_all(sock), 413, "too_large")
        sender.join()
        assert cut.is_set()


def test_an_upload_that_is_too_large_is_told_so_after_it_was_sent(live):
    with live.connect() as sock:
        sock.sendall(live.head("POST /api/search", f"Content-Length: {8 * MIB}"))
        sock.sendall(bytes(8 * MIB))  # a client that does not listen while it sends
        check_error(read_all(sock), 413, "too_large")


def test_endless_chunks_are_cut_off(live):
    with live.connect() as sock, undisturbed(live):
        sock.sendall(live.head("POST /read", "Transfer-Encoding: chunked"))
        send_until_cut(sock, chunk(bytes(600)), 0.02)


def test_endless_chunks_are_answered(live):
    with live.connect() as sock:
        sock.sendall(live.head("POST /read", "Transfer-Encoding: chunked") + chunk(bytes(600)) * 4)
        answer = read_all(sock)
        check_error(answer, 413, "too_large")
        assert b"connection: close" in answer.lower()


@pytest.mark.parametrize(
    ("pause", "limits", "least"),
    [
        pytest.param(0.1, SMALL, SMALL.body_seconds, id="in small pieces"),
        pytest.param(60, replace(SMALL, body_seconds=60), SMALL.chunk_seconds, id="not at all"),
    ],
)
def test_a_slow_body_is_cut_off(pause, limits, least):
    with serving(limits, SHORT) as live, live.connect() as sock, undisturbed(live):
        begun = time.monotonic()
        sock.sendall(live.head("POST /read", "Content-Length: 900") + b"x")
        done = threading.Event()

        def drip():
            with contextlib.suppress(OSError):
                while not done.wait(pause):
                    sock.sendall(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        answer = read_all(sock)
        took = time.monotonic() - begun
        done.set()
        dripping.join()
        check_error(answer, 408, "too_slow")
        assert took >= least  # and less than reading waits for


def test_a_body_that_ends_early_is_nobodys_error(live):
    for _ in range(20):
        with live.connect() as sock:
            sock.sendall(live.head("POST /read", "Content-Length: 900") + b"x" * 20)
    with live.connect() as sock:
        sock.sendall(live.head("POST /read", "Content-Length: 900") + b"x" * 20)
        sock.shutdown(socket.SHUT_WR)
        assert read_all(sock) == b""
    assert eventually(lambda: live.limiter.requests == 0)
    assert live.get() == (200, b"hello")


@pytest.mark.parametrize("kind", ["reset", "garbage"])
def test_a_body_that_breaks_off_is_nobodys_error(live, kind):
    with live.connect() as sock:
        sock.sendall(live.head("POST /read", "Transfer-Encoding: chunked") + chunk(b"abc"))
        assert eventually(lambda: live.limiter.requests == 1)
        if kind == "reset":
            linger_0 = b"\x01\0\0\0\0\0\0\0"
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_0)
            sock.close()
        else:
            sock.sendall(b"no chunk\r\n" * 3)
            check_error(read_all(sock), 400, "bad_request")
        assert eventually(lambda: live.limiter.requests == 0)


def test_as_many_requests_as_allowed_are_served_at_once():
    limits = RequestLimits(max_requests=5, body_seconds=3, chunk_seconds=3)
    with serving(limits, SHORT) as live, contextlib.ExitStack() as stack:
        held = [stack.enter_context(live.connect()) for _ in range(5)]
        for sock in held:
            sock.sendall(live.head("POST /read", "Content-Length: 3", "Connection: close") + b"ab")
        assert eventually(lambda: live.limiter.requests == 5)
        answer = exchange(live, live.head("GET /", "Connection: close"))
        check_error(answer, 503, "busy")
        assert b"\r\nretry-after: 1\r\n" in answer
        held[0].sendall(b"c")
        assert status_of(read_all(held[0])) == 200
        assert eventually(lambda: live.limiter.requests == 4)
        with undisturbed(live):
            for sock in held[1:]:
                sock.sendall(b"c")
                assert status_of(read_all(sock)) == 200


@pytest.mark.parametrize("framing", ["Content-Length: 60000", "Transfer-Encoding: chunked"])
def test_bodies_held_at_once_are_bounded(framing):
    limits = RequestLimits(max_body_bytes_in_flight=100_000, body_seconds=3, chunk_seconds=3)
    body = bytes(60_000) if "Length" in framing else chunk(bytes(59_999)) + chunk(b"x") + b"0\r\n\r\n"
    with serving(limits, SHORT) as live, live.connect() as first, undisturbed(live):
        head = live.head("POST /read", framing, "Connection: close")
        first.sendall(head + body[:-8])
        assert eventually(lambda: live.limiter.bytes_held > 50_000)
        # A length that cannot fit is refused before anything is read.
        answer = exchange(live, head, b"" if "Length" in framing else body)
        check_error(answer, 503, "busy")
        assert b"\r\nretry-after: 1\r\n" in answer
        first.sendall(body[-8:])
        assert status_of(read_all(first)) == 200
        assert eventually(lambda: live.limiter.bytes_held == 0)
        assert status_of(exchange(live, head, body)) == 200


def test_a_crowd_that_sends_nothing_takes_nobodys_room():
    """Only bytes that came count, not those that were promised."""
    limits = RequestLimits(max_body_bytes_in_flight=100_000, body_seconds=0.5, chunk_seconds=0.5)
    with serving(limits, SHORT) as live, contextlib.ExitStack() as stack:
        for _ in range(50):
            sock = stack.enter_context(live.connect())
            sock.sendall(live.head("POST /read", "Content-Length: 60000"))
        assert eventually(lambda: live.limiter.requests == 50)
        head = live.head("POST /read", "Content-Length: 60000", "Connection: close")
        assert status_of(exchange(live, head, bytes(60_000))) == 200


def web_app(caught_errors: list[Exception]) -> Starlette:
    async def search(request: Request) -> Response:
        async with request.form() as form:
            return Response(str(len(await form["photo"].read())))

    async def caught(request: Request) -> Response:
        try:
            await request.body()
        except Exception as error:
            caught_errors.append(error)
        return Response("read")

    routes = [Route("/api/search", search, methods=["POST"]), Route("/caught", caught, methods=["POST"])]
    return Starlette(routes=routes)


def form(photo: bytes) -> tuple[str, bytes]:
    lines = [
        b"--edge",
        b'Content-Disposition: form-data; name="photo"; filename="a.jpg"',
        b"",
        photo,
        b"--edge--",
        b"",
    ]
    return "Content-Type: multipart/form-data; boundary=edge", b"\r\n".join(lines)


def test_an_app_that_parses_forms_is_cut_short_alike():
    caught_errors: list[Exception] = []
    with serving(SMALL, SHORT, web_app(caught_errors)) as live:
        for size, status, code in ((50_000, 200, None), (100_001, 413, "too_large")):
            kind, body = form(bytes(size))
            head = live.head("POST /api/search", kind, "Transfer-Encoding: chunked", "Connection: close")
            answer = exchange(live, head, chunk(body), b"0\r\n\r\n")
            assert status_of(answer) == status
            if code:
                check_error(answer, status, code)
            else:
                assert answer.endswith(str(size).encode())
        kind, body = form(bytes(50_000))
        head = live.head("POST /api/search", kind, f"Content-Length: {len(body)}")
        check_error(exchange(live, head, body[:-3]), 408, "too_slow")
        check_error(exchange(live, live.head("POST /caught", "Content-Length: 9"), b"12"), 408, "too_slow")
    assert not caught_errors


def run_alone(inner, messages, limits=SMALL):
    """The limiter without a server; what was sent."""
    sent = []

    async def receive():
        if not messages:
            await asyncio.Event().wait()
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/read", "headers": []}
    limiter = Limiter(inner, limits)
    asyncio.run(limiter(scope, receive, send))
    assert (limiter.requests, limiter.bytes_held) == (0, 0)
    return sent


PIECE = {"type": "http.request", "body": bytes(600), "more_body": True}


def test_an_app_that_catches_everything_cannot_answer_after_the_cut():
    async def stubborn(scope, receive, send):
        for _ in range(3):
            with contextlib.suppress(BaseException):
                await app({"type": "http", "path": "/read"}, receive, send)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})

    messages = [PIECE] * 9
    assert [message.get("status") for message in run_alone(stubborn, messages)] == [413, None]
    assert len(messages) == 7, "it went on reading"


def test_an_app_that_reads_in_a_task_group_is_cut_short():
    async def grouped(scope, receive, send):
        async with asyncio.TaskGroup() as group:
            group.create_task(app({"type": "http", "path": "/read"}, receive, send))
            group.create_task(asyncio.sleep(60))

    assert run_alone(grouped, [PIECE] * 9)[0]["status"] == 413


def test_an_app_that_has_begun_to_answer_hears_that_the_client_is_gone():
    heard = []

    async def early(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while not heard or heard[-1] != "http.disconnect":
            heard.append((await receive())["type"])
        await send({"type": "http.response.body", "body": b"so be it"})

    for messages in ([PIECE] * 9, [PIECE], [PIECE, {"type": "http.disconnect"}]):
        heard.clear()
        sent = run_alone(early, messages)
        assert heard == ["http.request", "http.disconnect"]
        assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
        assert sent[0]["status"] == 200


def test_an_apps_own_error_is_not_hidden():
    async def failing(scope, receive, send):
        await receive()
        raise RuntimeError("by intent")

    with pytest.raises(RuntimeError, match="by intent"):
        run_alone(failing, [PIECE])


@pytest.mark.parametrize(
    "headers",
    [
        *([(b"content-length", length)] for length in (b"-1", b"+5", b"1e3", b"", b"\xb2", b"5,5")),
        [(b"content-length", b"5"), (b"content-length", b"x")],
        [(b"content-length", b"5"), (b"transfer-encoding", b"chunked")],
    ],
)
def test_a_length_that_can_be_taken_in_two_ways_is_refused(headers):
    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/read", "headers": headers}
    asyncio.run(Limiter(app)(scope, None, send))
    assert sent[0]["status"] == 400
