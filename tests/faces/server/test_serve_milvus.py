"""Servers of one collection in Milvus: any of them will do, and all come back with the engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, contextmanager

import pytest

from lookalike import Collection

pytest_plugins = ["milvus_fixture", "milvus_places"]
pytestmark = pytest.mark.slow


@contextmanager
def serving(place):
    """Run the command; gives its address."""
    command = [sys.executable, "-m", "lookalike", "serve", "--no-browser", "--port", "0", "-c", place]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            line = process.stdout.readline()
            assert line.startswith("serving on http"), line + process.stdout.read()
            yield line.removeprefix("serving on ").strip().rstrip("/")
        finally:
            process.terminate()


def ask(address, call, body=None, method=None):
    """Return status, headers and JSON of an answer, whatever it is."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(address + call, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, error.headers, json.loads(error.read())


def until(condition, seconds=60):
    """Wait for something to hold."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


@pytest.fixture
def photos(tmp_path, make_photo):
    for seed in range(12):
        make_photo(tmp_path / "photos" / f"{seed}.png", seed)
    return tmp_path / "photos"


def test_two_servers_answer_alike_and_come_back_with_the_engine(own_milvus_server, own_milvus_place, photos):
    with Collection(own_milvus_place) as collection:
        collection.add(photos)
    with ExitStack() as stack:
        one, two = (stack.enter_context(serving(own_milvus_place)) for _ in range(2))
        items = ask(one, "/api/items?limit=20")[2]["items"]
        assert len(items) == 12 and ask(two, "/api/items?limit=20")[2]["items"] == items
        search = {"examples": [{"item": items[0]["id"]}], "k": 3}
        found = [ask(each, "/api/search", search)[2] for each in (one, two)]
        assert found[0]["hits"] == found[1]["hits"] and len(found[0]["hits"]) == 3
        vote = {"query": found[0]["query"], "item": found[0]["hits"][0]["id"], "vote": 1}
        assert ask(one, "/api/votes", vote, "PUT")[0] == 200
        until(lambda: len(ask(two, "/api/votes")[2]["votes"]) == 1, 10)
        assert [ask(each, "/api/health?ready=true")[0] for each in (one, two)] == [200, 200]
        own_milvus_server.kill()
        for address in (one, two):
            status, headers, told = ask(address, "/api/items?limit=20")
            assert (status, told["error"]["code"]) == (503, "engine_away")
            assert int(headers["retry-after"]) > 0
            time.sleep(1.1)  # for so long it is remembered whether the engine answers
            status, _, health = ask(address, "/api/health")
            assert (status, health["status"], health["ready"]) == (200, "ok", False)
            assert "does not answer" in health["reason"]
            assert ask(address, "/api/health?ready=true")[0] == 503
        own_milvus_server.restart()
        for address in (one, two):
            until(lambda address=address: ask(address, "/api/health?ready=true")[0] == 200)
            until(lambda address=address: ask(address, "/api/search", search)[0] == 200)
            assert ask(address, "/api/search", search)[2]["hits"] == found[0]["hits"]


def test_what_one_server_would_remember_alone_is_refused(milvus_place, photos):
    with Collection(milvus_place) as collection:
        collection.add(photos)
    command = [
        sys.executable,
        "-m",
        "lookalike",
        "serve",
        "--no-browser",
        "--ab",
        "a",
        "b",
        "-c",
        milvus_place,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=os.environ)
    assert done.returncode == 2 and "others may serve this collection" in done.stderr
