"""No answer leads to another scheme or host: behind TLS, a redirect to http would show the token to all."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from importlib.resources import files

import pytest
from served import served

from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder

TOKEN = "a-token-of-twenty-letters"
METHODS = ("GET", "HEAD", "POST", "PUT", "OPTIONS")


@pytest.fixture(scope="module")
def collection(tmp_path_factory, make_photo):
    folder = tmp_path_factory.mktemp("redirects")
    make_photo(folder / "photos" / "a.png", 1)
    with Collection(folder / "c.lookalike", embedder=FakeEmbedder()) as collection:
        collection.add(folder / "photos")
    return folder / "c.lookalike"


@pytest.fixture(scope="module", params=["plain", "token", "https"])
def address(request, collection):
    https, token = request.param == "https", None if request.param == "plain" else TOKEN
    with served(Collection(collection, embedder=FakeEmbedder()), https=https, token=token) as address:
        yield address.removeprefix("http://")


def ask(address, method, target, **headers):
    """Status, headers and body of the answer to a request for a target just as it is written."""
    with closing(http.client.HTTPConnection(address, timeout=20)) as connection:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in {"Authorization": f"Bearer {TOKEN}", "Content-Length": "0", **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()


def pages():
    folder = files("lookalike") / "web"
    return ["/", "/rate", "/copies", "/web", "/web/", *(f"/web/{each.name}" for each in folder.iterdir())]


def operations(address):
    document = json.loads(ask(address, "GET", "/api/openapi.json")[2])
    given = {"id": "1", "round": "abc"}
    return ["/api/openapi.json", "/api", *(path.format(**given) for path in document["paths"])]


def ways_to_write(path):
    """A path, and what people, proxies and attackers make of it."""
    bare = path.rstrip("/")
    yield from (path, f"{bare}/", f"{bare}//", f"/{path}", f"//evil.example{bare}/", f"/.{path}", f"{bare}/.")
    yield from (f"{bare}%2F", f"%2F{bare}", path.replace("/", "//"), path.replace("/", "/%2f"), f"{bare}%5C")
    yield from (
        f"{bare}/..",
        f"{bare}/?a=b",
        f"{bare}/?token={TOKEN}",
        f"{bare};/",
        f"{bare}%0D%0ALocation:x/",
    )
    yield from (f"{bare};/", f"/%5Cevil.example{bare}/", f"{bare}/%2F%2Fevil.example/", f"{path}/%2e%2e/")
    yield from (f"{path}%00", f"{path}%FF/", f"{path}%ED%A0%80/", f"{path}/{'a' * 300}/", f"{path}/%00/")


def check(answer, method):
    """An answer that leads nowhere else, and if it says no says so in the one shape."""
    status, headers, body = answer
    assert status < 500
    assert not 300 <= status < 400 and headers["location"] is None, headers["location"]
    for name in ("refresh", "content-location", "link"):
        assert headers[name] is None
    if status >= 400 and method != "HEAD":
        error = json.loads(body)
        assert list(error) == ["error"] and list(error["error"]) == ["code", "message"]


@pytest.mark.parametrize("method", METHODS)
def test_no_path_however_it_is_written_is_redirected(address, method):
    for path in [*pages(), *operations(address)]:
        for target in ways_to_write(path):
            if "?token=" in target and target.startswith("/?") and method == "GET":
                continue  # the link that a person is given: see below
            try:
                check(ask(address, method, target), method)
            except AssertionError as error:
                raise AssertionError(f"{method} {target}: {error}") from error


def test_a_slash_too_many_is_no_address(address):
    for path in ("/api/search/", "/api/items/", "/api/items/1/", "/rate/", "/web", "/web/"):
        for method in ("GET", "POST"):
            status, _, body = ask(address, method, path)
            assert status in (404, 405), (method, path)
            assert json.loads(body)["error"]["code"] in ("not_found", "method_not_allowed")


@pytest.mark.parametrize("forwarded", [{}, {"X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example"}])
def test_the_link_with_the_token_leads_to_the_same_place_only(address, forwarded):
    status, headers, body = ask(address, "GET", f"/?token={TOKEN}", **forwarded)
    if status == 303:
        assert (headers["location"], body) == ("/", b"")  # as it was reached: scheme, host and port
        assert "no-store" in headers["cache-control"]
    else:
        assert status == 200 and headers["location"] is None
