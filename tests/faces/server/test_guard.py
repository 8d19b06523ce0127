"""Who is let through: names, origins, methods, browsers' hints and tokens, and what every answer carries."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from lookalike.errors import UsageError
from lookalike.faces.server.access import Access, host_names, is_loopback, is_open
from lookalike.faces.server.guard import Guard
from lookalike.faces.server.headers import SECURITY_HEADERS

OWN = "127.0.0.1:8000"
TOKEN = "a-token-of-twenty-signs"


@dataclass
class Answer:
    status: int
    headers: list[tuple[str, str]]
    body: bytes
    asked: list[str] = field(default_factory=list)  # paths of requests that reached the app

    @property
    def reached(self) -> bool:
        return bool(self.asked)

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key == name]
        assert len(values) <= 1, f"{name} is sent twice"
        return values[0] if values else None


def ask(access, headers=(), method="GET", target="/", app=None) -> Answer:
    """Put one request to a guarded app (by default one that says 200) and collect the answer."""
    asked: list[str] = []
    sent: list[dict] = []

    async def inner(scope, receive, send):
        asked.append(scope["path"])
        await (app or PlainTextResponse("hello"))(scope, receive, send)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "scheme": "http",
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }
    asyncio.run(Guard(inner, access)(scope, receive, send))
    assert sent[0]["type"] == "http.response.start"
    headers = [(name.decode(), value.decode()) for name, value in sent[0]["headers"]]
    return Answer(sent[0]["status"], headers, b"".join(m.get("body", b"") for m in sent[1:]), asked)


def access_to(address="127.0.0.1", port=8000, names=(), https=False, token=None) -> Access:
    return Access.listening(address, port, names, https=https, token=token)


HERE = access_to()
PORT_80 = access_to(port=80)
BEHIND_TLS = Access(host_names("127.0.0.1", 8000, ["photos.example"], https=True), https=True)
EVERYWHERE = Access(host_names("0.0.0.0", 8000), any_ip_port=8000)
EVERYWHERE_TLS = Access(host_names("0.0.0.0", 8000, https=True), https=True, any_ip_port=8000)
ELSEWHERE = Access(host_names("192.168.1.5", 8000, ["photos.example", "other.example:9000"]))


@pytest.mark.parametrize(
    ("access", "host", "status"),
    [
        (HERE, "127.0.0.1:8000", 200),
        (HERE, "localhost:8000", 200),
        (HERE, "LocalHost:8000", 200),
        (HERE, "[::1]:8000", 200),
        (HERE, "127.0.0.1", 421),
        (HERE, "localhost", 421),
        (HERE, "localhost:8001", 421),
        (HERE, "localhost:80", 421),
        (HERE, "localhost.:8000", 421),
        (HERE, "localhost:8000.", 421),
        (HERE, "localhost:08000", 421),
        (HERE, "localhost:", 421),
        (HERE, "localhost :8000", 421),
        (HERE, "localhost:8000 ", 421),
        (HERE, "user@localhost:8000", 421),
        (HERE, "http://localhost:8000", 421),
        (HERE, "localhost:8000/", 421),
        (HERE, "localhost:8000,evil.example", 421),
        (HERE, "evil.example", 421),
        (HERE, "evil.example:8000", 421),
        (HERE, "localhost.evil.example:8000", 421),
        (HERE, "127.0.0.1.nip.example:8000", 421),
        (HERE, "127.1:8000", 421),
        (HERE, "2130706433:8000", 421),
        (HERE, "0.0.0.0:8000", 421),
        (HERE, "127.0.0.2:8000", 421),
        (HERE, "::1:8000", 421),
        (HERE, "[::ffff:127.0.0.1]:8000", 421),
        (HERE, "", 421),
        (HERE, None, 421),
        (EVERYWHERE, "localhost:8000", 200),
        (EVERYWHERE, "192.168.1.5:8000", 200),
        (EVERYWHERE, "[fd00::5]:8000", 200),
        (EVERYWHERE, "192.168.1.5", 421),
        (EVERYWHERE, "192.168.1.5:8001", 421),
        (EVERYWHERE, "192.168.1.5.:8000", 421),
        (EVERYWHERE, "192.168.1:8000", 421),
        (EVERYWHERE, "3232235781:8000", 421),
        (EVERYWHERE, "fd00::5:8000", 421),
        (EVERYWHERE, "[fd00::5%1]:8000", 421),
        (EVERYWHERE, "0.0.0.0:8000", 421),
        (EVERYWHERE, "evil.example:8000", 421),
        (EVERYWHERE, "192.168.1.5.nip.example:8000", 421),
        *((EVERYWHERE_TLS, host, 200) for host in ("192.168.1.5", "192.168.1.5:443", "192.168.1.5:8000")),
        *((EVERYWHERE_TLS, host, 200) for host in ("[fd00::5]", "[fd00::5]:443", "localhost")),
        *((EVERYWHERE_TLS, host, 421) for host in ("192.168.1.5:80", "fd00::5", "[fd00::5", "fd00::5]")),
        *((EVERYWHERE_TLS, host, 421) for host in ("evil.example", "0.0.0.0", "", "443", ":443", "[]")),
        (PORT_80, "localhost", 200),
        (PORT_80, "localhost:80", 200),
        (PORT_80, "localhost.", 421),
        (PORT_80, "localhost:443", 421),
        (BEHIND_TLS, "photos.example", 200),
        (BEHIND_TLS, "photos.example:443", 200),
        (BEHIND_TLS, "photos.example:8000", 200),
        (BEHIND_TLS, "photos.example:80", 421),
        (ELSEWHERE, "192.168.1.5:8000", 200),
        (ELSEWHERE, "photos.example:8000", 200),
        (ELSEWHERE, "other.example:9000", 200),
        (ELSEWHERE, "other.example:8000", 421),
        (ELSEWHERE, "photos.example", 421),
        (ELSEWHERE, "localhost:8000", 421),
        (ELSEWHERE, "192.168.1.6:8000", 421),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_only_the_names_of_the_server_are_answered(access, host, status, method):
    answer = ask(access, [("host", host)] if host is not None else [], method)
    assert (answer.status, answer.reached) == (status, status == 200)


@pytest.mark.parametrize("second", [OWN, "evil.example"])
@pytest.mark.parametrize("first", [OWN, "evil.example"])
def test_two_hosts_are_refused(first, second):
    answer = ask(HERE, [("host", first), ("host", second)])
    assert (answer.status, answer.reached) == (421, False)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize(
    ("access", "host", "origin", "allowed"),
    [
        (HERE, OWN, None, True),
        (HERE, OWN, "http://127.0.0.1:8000", True),
        (HERE, "LOCALHOST:8000", "http://localhost:8000", True),
        (HERE, "[::1]:8000", "http://[::1]:8000", True),
        (HERE, OWN, "http://localhost:8000", False),
        (HERE, OWN, "http://127.0.0.1:8001", False),
        (HERE, OWN, "http://127.0.0.1", False),
        (HERE, OWN, "https://127.0.0.1:8000", False),
        (HERE, OWN, "null", False),
        (HERE, OWN, "", False),
        (HERE, OWN, "127.0.0.1:8000", False),
        (HERE, OWN, "http://127.0.0.1:8000/", False),
        (HERE, OWN, "http://127.0.0.1:8000.evil.example", False),
        (HERE, OWN, "http://evil.example", False),
        (HERE, OWN, "http://evil.example, http://127.0.0.1:8000", False),
        (HERE, OWN, "file://", False),
        (HERE, OWN, "chrome-extension://abcdef", False),
        (PORT_80, "localhost", "http://localhost", True),
        (PORT_80, "localhost:80", "http://localhost", True),
        (PORT_80, "localhost", "https://localhost", False),
        (BEHIND_TLS, "photos.example", "https://photos.example", True),
        (BEHIND_TLS, "photos.example:443", "https://photos.example", True),
        (BEHIND_TLS, "photos.example", "http://photos.example", False),
        (BEHIND_TLS, "photos.example", "https://localhost", False),
    ],
)
def test_only_its_own_origin_may_ask(access, host, origin, allowed, method):
    headers = [("host", host)] + ([("origin", origin)] if origin is not None else [])
    answer = ask(access, headers, method, "/api/items")
    assert (answer.status, answer.reached) == ((200, True) if allowed else (403, False))


def test_two_origins_are_refused():
    own = ("origin", "http://127.0.0.1:8000")
    answer = ask(HERE, [("host", OWN), own, own], "POST")
    assert (answer.status, answer.reached) == (403, False)


@pytest.mark.parametrize(
    ("method", "target", "site", "mode", "dest", "allowed"),
    [
        ("POST", "/api/search", "same-origin", "cors", "empty", True),
        ("POST", "/api/search", "none", None, None, True),
        ("POST", "/api/search", "same-site", "cors", "empty", False),
        ("POST", "/api/search", "cross-site", "no-cors", "empty", False),
        ("POST", "/", "cross-site", "navigate", "document", False),
        ("PUT", "/api/votes", "cross-site", "cors", "empty", False),
        ("PUT", "/api/votes", "unheard-of", "cors", "empty", False),
        ("GET", "/", "none", "navigate", "document", True),
        ("GET", "/", "same-origin", "navigate", "document", True),
        ("GET", "/", "cross-site", "navigate", "document", True),
        ("GET", "/", "same-site", "navigate", "document", True),
        ("HEAD", "/", "cross-site", "navigate", "document", True),
        ("GET", "/", "cross-site", "navigate", "iframe", False),
        ("GET", "/", "cross-site", "navigate", "embed", False),
        ("GET", "/", "cross-site", "no-cors", "document", False),
        ("GET", "/", "cross-site", None, None, False),
        ("GET", "/", "unheard-of", "navigate", "document", False),
        ("GET", "/web/grid.js", "cross-site", "no-cors", "script", False),
        ("GET", "/api", "cross-site", "navigate", "document", False),
        ("GET", "/api/items/7/photo", "cross-site", "navigate", "document", False),
        ("GET", "/api/items/7/photo", "same-site", "navigate", "document", False),
        ("GET", "/api/items/7/photo", "cross-site", "no-cors", "image", False),
        ("GET", "/api/items/7/photo", "same-site", "no-cors", "image", False),
        ("GET", "/api/items/7/photo", "same-origin", "no-cors", "image", True),
        ("GET", "/api/items/7/photo", "none", "navigate", "document", True),
        ("GET", "/apis", "cross-site", "navigate", "document", True),
    ],
)
def test_other_pages_may_link_here_and_nothing_else(method, target, site, mode, dest, allowed):
    given = {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": dest}
    headers = [("host", OWN), *((name, value) for name, value in given.items() if value)]
    answer = ask(HERE, headers, method, target)
    assert (answer.status, answer.reached) == ((200, True) if allowed else (403, False))


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://127.0.0.1:8000"])
def test_a_preflight_from_another_origin_is_refused(origin):
    preflight = [("access-control-request-method", "PUT"), ("access-control-request-headers", "x-own")]
    answer = ask(HERE, [("host", OWN), ("origin", origin), *preflight], "OPTIONS")
    assert (answer.status, answer.reached) == (403, False)
    assert not [name for name, _ in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("target", ["http://127.0.0.1:8000/api/health", "evil.example:443", ""])
def test_a_target_that_is_no_path_is_refused(target):
    answer = ask(HERE, [("host", OWN)], "GET", target)
    assert (answer.status, answer.reached) == (400, False)


# The token


GUARDED = access_to("192.168.1.5", token=TOKEN)
HOST = ("host", "192.168.1.5:8000")


@pytest.mark.parametrize(
    ("authorization", "allowed"),
    [
        (f"Bearer {TOKEN}", True),
        (f"bearer {TOKEN}", True),
        (f"Bearer  {TOKEN} ", True),
        (f"Bearer {TOKEN[:-1]}", False),
        (f"Bearer {TOKEN}x", False),
        (f"Bearer {TOKEN.upper()}", False),
        ("Bearer ", False),
        ("Bearer", False),
        (TOKEN, False),
        (f"Basic {TOKEN}", False),
        (f"Token {TOKEN}", False),
        ("Bearer é", False),
        (None, False),
    ],
)
@pytest.mark.parametrize(
    ("method", "target"), [("GET", "/"), ("GET", "/api/health"), ("POST", "/api/search")]
)
def test_the_token_in_a_header(authorization, allowed, method, target):
    headers = [HOST] + ([("authorization", authorization)] if authorization is not None else [])
    answer = ask(GUARDED, headers, method, target)
    assert (answer.status, answer.reached) == ((200, True) if allowed else (401, False))
    assert answer.header("www-authenticate") == (None if allowed else "Bearer")


def test_two_authorizations_are_refused():
    answer = ask(GUARDED, [HOST, ("authorization", f"Bearer {TOKEN}"), ("authorization", "Bearer x")])
    assert (answer.status, answer.reached) == (401, False)


def cookie_from(access, host=HOST) -> str:
    answer = ask(access, [host], "GET", f"/?token={TOKEN}")
    assert (answer.status, answer.header("location"), answer.reached) == (303, "/", False)
    return answer.header("set-cookie")


def test_the_token_in_the_address_becomes_a_cookie():
    cookie = cookie_from(GUARDED)
    pair, *attributes = cookie.split("; ")
    assert set(attributes) == {"HttpOnly", "SameSite=Strict", "Path=/"}
    assert TOKEN not in cookie
    for path in ("/", "/api/items"):
        answer = ask(GUARDED, [HOST, ("cookie", f"theme=dark; {pair}; other=1")], "GET", path)
        assert (answer.status, answer.reached) == (200, True)


def test_behind_tls_the_cookie_is_for_https_only():
    behind = access_to("192.168.1.5", names=["photos.example"], https=True, token=TOKEN)
    assert "Secure" in cookie_from(behind, ("host", "photos.example")).split("; ")


def test_the_cookies_of_two_ports_do_not_replace_each_other():
    names = [
        cookie_from(access_to("192.168.1.5", port, token=TOKEN), ("host", f"192.168.1.5:{port}")).split("=")[
            0
        ]
        for port in (8000, 9000)
    ]
    assert names == ["lookalike-8000", "lookalike-9000"]


@pytest.mark.parametrize(
    "change",
    [
        lambda name, value: f"{name}={value[:-1]}",
        lambda name, value: f"{name}={value}0",
        lambda name, value: f"{name}=",
        lambda name, value: name,
        lambda name, value: f"{name}={TOKEN}",
        lambda name, value: f"other={value}",
        lambda name, value: f"{name}=é",
        lambda name, value: "",
    ],
)
def test_another_cookie_is_refused(change):
    name, _, value = cookie_from(GUARDED).split("; ")[0].partition("=")
    answer = ask(GUARDED, [HOST, ("cookie", change(name, value))])
    assert (answer.status, answer.reached) == (401, False)


def test_a_cookie_ends_with_its_server():
    pair = cookie_from(GUARDED).split("; ")[0]
    restarted = access_to("192.168.1.5", token=TOKEN)
    assert ask(restarted, [HOST, ("cookie", pair)]).status == 401


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/?token="),
        ("GET", "/?token=wrong"),
        ("GET", f"/?token={TOKEN}x"),
        ("GET", f"/?token={TOKEN}&token={TOKEN}"),
        ("GET", "/?token=%ff%fe"),
        ("HEAD", f"/?token={TOKEN}"),
        ("POST", f"/?token={TOKEN}"),
        ("GET", f"/api/items?token={TOKEN}"),
        ("GET", f"/?Token={TOKEN}"),
    ],
)
def test_a_token_in_another_place_or_another_token_is_refused(method, target):
    answer = ask(GUARDED, [HOST], method, target)
    assert (answer.status, answer.reached, answer.header("set-cookie")) == (401, False, None)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("host", "evil.example:8000")], 421),
        ([HOST, ("origin", "http://evil.example")], 403),
        ([HOST, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")], 403),
    ],
)
def test_the_token_does_not_open_for_other_names_and_origins(headers, status):
    headers = [*headers, ("authorization", f"Bearer {TOKEN}")]
    assert ask(GUARDED, headers).status == status
    assert ask(GUARDED, headers, "GET", f"/?token={TOKEN}").status == status


def test_without_a_token_to_show_the_address_is_the_apps():
    answer = ask(HERE, [("host", OWN)], "GET", "/?token=anything")
    assert (answer.status, answer.reached) == (200, True)


# What every answer carries


def failing(request):
    raise RuntimeError("by intent")


APP = Starlette(
    routes=[
        Route("/", lambda request: PlainTextResponse("page")),
        Route(
            "/kept", lambda request: PlainTextResponse("x", headers={"Cache-Control": "max-age=9, immutable"})
        ),
        Route("/open", lambda request: PlainTextResponse("x", headers={"Access-Control-Allow-Origin": "*"})),
        Route("/framed", lambda request: PlainTextResponse("x", headers={"X-Frame-Options": "ALLOWALL"})),
        Route("/fails", failing),
    ]
)


def ask_app(target, headers=(("host", OWN),), method="GET", access=HERE):
    try:
        return ask(access, headers, method, target, APP)
    except RuntimeError as error:  # Starlette answers 500 and raises again
        pytest.fail(f"the answer was lost with {error}")


ANSWERS = {
    "a page": lambda: ask_app("/"),
    "cached": lambda: ask_app("/kept"),
    "not found": lambda: ask_app("/absent"),
    "wrong method": lambda: ask_app("/", method="PUT"),
    "options": lambda: ask_app("/", method="OPTIONS"),
    "wrong host": lambda: ask_app("/", [("host", "evil.example")]),
    "wrong origin": lambda: ask_app("/", [("host", OWN), ("origin", "null")]),
    "no token": lambda: ask_app("/", [HOST], access=GUARDED),
    "token taken": lambda: ask_app(f"/?token={TOKEN}", [HOST], access=GUARDED),
    "opened by the app": lambda: ask_app("/open"),
    "framed by the app": lambda: ask_app("/framed"),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_answer_carries_the_security_headers(kind):
    answer = ANSWERS[kind]()
    for name, value in SECURITY_HEADERS:
        assert answer.header(name.decode()) == value.decode()
    assert not [name for name, _ in answer.headers if name.startswith("access-control")]
    assert answer.header("cache-control") == ("max-age=9, immutable" if kind == "cached" else "no-store")


def test_the_policy_is_the_one_the_page_is_written_for():
    headers = {name.decode(): value.decode() for name, value in SECURITY_HEADERS}
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    nothing = ("default-src", "base-uri", "form-action", "frame-ancestors")
    assert policy == {
        **dict.fromkeys(nothing, "'none'"),
        **dict.fromkeys(("script-src", "style-src", "connect-src", "font-src"), "'self'"),
        "img-src": "'self' blob: data:",
    }
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == headers["cross-origin-resource-policy"] == "same-origin"
    assert "camera=(self)" in headers["permissions-policy"]


def test_a_failing_app_is_answered_with_the_headers_too():
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": "/fails", "root_path": "", "query_string": b""}
    scope["headers"] = [(b"host", OWN.encode())]
    with pytest.raises(RuntimeError, match="by intent"):
        asyncio.run(Guard(APP, HERE)(scope, receive, send))
    assert sent[0]["status"] == 500
    assert set(SECURITY_HEADERS) < set(sent[0]["headers"])


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("wrong host", "wrong_host"),
        ("wrong origin", "wrong_origin"),
        ("no token", "token_needed"),
    ],
)
def test_a_refusal_is_the_contracts_json(kind, code):
    answer = ANSWERS[kind]()
    assert answer.header("content-type") == "application/json"
    assert answer.header("content-length") == str(len(answer.body))
    error = json.loads(answer.body)["error"]
    assert error["code"] == code
    assert set(error) == {"code", "message"}
    assert "\n" not in error["message"]


def test_lifespan_passes_and_websockets_do_not():
    seen, sent = [], []

    async def app(scope, receive, send):
        seen.append(scope["type"])

    async def send(message):
        sent.append(message)

    for kind in ("lifespan", "websocket"):
        asyncio.run(Guard(app, HERE)({"type": kind, "headers": []}, None, send))
    assert seen == ["lifespan"]
    assert sent == [{"type": "websocket.close", "code": 1008}]


# Names and tokens as they are given


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("[::1]", True),
        ("Localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.5", False),
        ("photos.example", False),
        ("", False),
    ],
)
def test_loopback_is_told_from_the_rest(address, loopback):
    assert is_loopback(address) is loopback
    if loopback:
        assert Access.listening(address, 8000).token is None
    else:
        with pytest.raises(UsageError, match="token"):
            Access.listening(address, 8000)


def test_a_wildcard_address_is_no_name():
    hosts = host_names("0.0.0.0", 8000, ["photos.example"])
    assert hosts == {"127.0.0.1:8000", "localhost:8000", "[::1]:8000", "photos.example:8000"}


def test_addresses_are_written_as_browsers_write_them():
    assert host_names("FE80::0:1", 8000, ["2001:DB8::0:1", "[::2]:9"]) == {
        "[fe80::1]:8000",
        "[2001:db8::1]:8000",
        "[::2]:9",
    }


@pytest.mark.parametrize(
    "name", ["a.example.", "", " ", "a b", "http://a.example", "a.example/", "*.example", "a:b", "ü.example"]
)
def test_what_is_no_name_is_said_so(name):
    with pytest.raises(UsageError, match="host name"):
        host_names("127.0.0.1", 8000, [name])


@pytest.mark.parametrize(
    "token",
    ["", "short", "fifteen-signs-x", "with a space in it", "with-umlaut-ü-in-it", "with-a-newline-at-end\n"],
)
def test_a_token_that_is_none_is_said_so(token):
    with pytest.raises(UsageError, match="token"):
        access_to("192.168.1.5", token=token)


def test_secrets_are_not_shown():
    assert TOKEN not in repr(GUARDED)
    assert repr(GUARDED.cookie_key) not in repr(GUARDED)


@pytest.mark.parametrize(
    ("names", "https"), [(["photos.example"], False), ([], True), (["photos.example"], True)]
)
def test_a_server_behind_a_proxy_needs_a_token_though_it_listens_on_loopback(names, https):
    with pytest.raises(UsageError, match="token"):
        Access.listening("127.0.0.1", 8000, names, https=https)
    assert Access.listening("127.0.0.1", 8000, names, https=https, token=TOKEN).token == TOKEN
    assert is_open("127.0.0.1", names, https) and not is_open("127.0.0.1", [], False)


@pytest.mark.parametrize(("address", "port"), [("0.0.0.0", 8000), ("::", 8000), ("192.168.1.5", None)])
def test_only_a_server_on_all_addresses_goes_by_any(address, port):
    assert Access.listening(address, 8000, token=TOKEN).any_ip_port == port
