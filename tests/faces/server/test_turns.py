"""Nobody waits for what others wait for: reads go on while writes cannot, which are told to come again."""

from __future__ import annotations

import http.client
import json
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import ExitStack, closing, contextmanager

import numpy as np
import pytest
from live_server import eventually
from served import served

from fake_copies import CollectionWithCopies, Family, Found
from lookalike import Collection
from lookalike.decode.pool import DecodePool
from lookalike.embedders.fake import FakeEmbedder, FakeTextEmbedder
from lookalike.faces.server import turns
from lookalike.faces.server.rounds import Pair
from lookalike.transfer.transfer import ImportRequest

FOR_EVER = 60
HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN IMMEDIATE")
print("held", flush=True)
sys.stdin.read()
"""
READS = {
    "browseItems": ("GET", "/api/items"),
    "randomItems": ("GET", "/api/items/random?n=3"),
    "getItem": ("GET", "/api/items/1"),
    "getPhoto": ("GET", "/api/items/1/photo"),
    "getThumbnail": ("GET", "/api/items/1/thumbnail"),
    "nextToRate": ("GET", "/api/rate"),
    "listVotes": ("GET", "/api/votes"),
    "listCopies": ("GET", "/api/copies"),
    "getCollection": ("GET", "/api/collection"),
    "getFacets": ("GET", "/api/facets"),
    "getHealth": ("GET", "/api/health"),
    "search": ("POST", "/api/search", {"examples": [{"item": 1}]}),
}
UPLOADS = {"search": "/api/search", "previewPhoto": "/api/preview"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_photo):
    """Twelve photos in two spaces."""
    folder = tmp_path_factory.mktemp("turns")
    names = [str(make_photo(folder / "photos" / f"{seed:02}.png", seed)) for seed in range(12)]
    (folder / "list.txt").write_text("\n".join(names) + "\n")
    np.save(folder / "rows.npy", np.random.default_rng(5).normal(size=(12, 6)).astype(np.float32))
    with Collection(folder / "c.lookalike", embedder=FakeEmbedder()) as collection:
        collection.add(folder / "photos")
        collection.import_vectors(ImportRequest(folder / "rows.npy", folder / "list.txt", name="other"))
    return folder


@pytest.fixture
def path(tmp_path, folder):
    shutil.copytree(folder / "c.lookalike", tmp_path / "c.lookalike")
    return tmp_path / "c.lookalike"


def collection_at(path, **more):
    """The collection, where two photos are copies."""
    collection = CollectionWithCopies(path, embedder=FakeEmbedder(), **more)
    collection.found = Found([Family("00.png", {"01.png": (("smaller",), None)})], is_looked_at=True)
    return collection


@pytest.fixture
def address(path):
    with served(collection_at(path), ab=Pair("fake", "other")) as address:
        yield address


def ask(address, method, target, body=None, kind="application/json"):
    """Status, headers and body of an answer."""
    sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    headers = {} if body is None else {"Content-Type": kind}
    with closing(http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)) as connection:
        connection.request(method, target, sent, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()


def form(photo):
    part = b'--b\r\nContent-Disposition: form-data; name="photo"; filename="a.png"\r\n\r\n'
    return part + photo + b"\r\n--b--\r\n", "multipart/form-data; boundary=b"


def vote(address, item, **more):
    return ask(address, "PUT", "/api/votes", {"query": "item:1", "item": item, "vote": 1, **more})


class Asking:
    """Requests under way, each in a thread; `answers` holds those that were answered."""

    def __init__(self, calls):
        self.answers = []
        self.threads = [
            threading.Thread(target=lambda c=call: self.answers.append(c()), daemon=True) for call in calls
        ]
        for thread in self.threads:
            thread.start()

    def all(self):
        for thread in self.threads:
            thread.join(40)
        assert len(self.answers) == len(self.threads)
        return self.answers


@contextmanager
def writing(*files):
    """Another connection is in the middle of writing to these files."""
    with ExitStack() as stack:
        for file in files:
            connection = stack.enter_context(closing(sqlite3.connect(file, isolation_level=None)))
            connection.execute("BEGIN IMMEDIATE")
        yield


def is_waiting():
    """Whether any thread waits for the write lock."""
    frames = list(sys._current_frames().values())
    while frames:
        frame = frames.pop()
        if frame.f_code.co_name == "_patiently":
            return True
        if frame.f_back is not None:
            frames.append(frame.f_back)
    return False


def check_busy(answer):
    status, headers, body = answer
    error = json.loads(body)
    assert (status, list(error), error["error"]["code"]) == (503, ["error"], "busy")
    assert list(error["error"]) == ["code", "message"] and "\n" not in error["error"]["message"]
    assert 1 <= int(headers["retry-after"]) <= 10


def test_reads_and_searches_are_answered_while_votes_wait(path, address, monkeypatch):
    monkeypatch.setattr(turns, "WRITE_SECONDS", FOR_EVER)
    ask(address, "GET", "/api/items/2/thumbnail")  # so that the cache is there
    with writing(path / "store.sqlite", path / "thumbnails.sqlite"):
        votes = Asking([lambda item=item: vote(address, item) for item in range(2, 10)])
        assert eventually(is_waiting)
        for name, asked in READS.items():
            assert ask(address, *asked)[0] == 200, name
        assert votes.answers == []
    assert {status for status, _, _ in votes.all()} == {200}
    assert len(json.loads(ask(address, "GET", "/api/votes")[2])["votes"]) == 8


def test_every_operation_that_reads_was_tried(address):
    document = json.loads(ask(address, "GET", "/api/openapi.json")[2])
    found = {each["operationId"] for methods in document["paths"].values() for each in methods.values()}
    assert found - {*READS, *UPLOADS} == {
        *("putVote", "putClick", "fetchPhoto", "decideCopies", "removeCopies")
    }


def test_votes_and_clicks_that_cannot_be_kept_soon_are_told_to_come_again(path, address, monkeypatch):
    monkeypatch.setattr(turns, "WRITE_SECONDS", 0.3)
    answer = json.loads(ask(address, "POST", "/api/search", {"examples": [{"item": 1}]})[2])
    item, round_id = answer["hits"][0]["id"], answer["round"]
    calls = [lambda n=n: vote(address, n) for n in range(2, 10)]
    calls += [lambda: vote(address, item, round=round_id)]
    calls += [lambda: ask(address, "POST", f"/api/rounds/{round_id}/clicks", {"item": item})]
    command = [sys.executable, "-c", HOLD, str(path / "store.sqlite")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        for busy in Asking(calls).all():
            check_busy(busy)
        assert not is_waiting()
        assert json.loads(ask(address, "GET", "/api/votes")[2])["votes"] == []
        process.stdin.close()
        process.wait()
    assert [call()[0] for call in calls] == [200] * 10


def test_more_writes_than_may_wait_are_refused_at_once(path, address, monkeypatch):
    monkeypatch.setattr(turns, "WRITE_SECONDS", FOR_EVER)
    monkeypatch.setattr(turns, "MOST_WRITES", 3)
    with writing(path / "store.sqlite"):
        votes = Asking([lambda n=n: vote(address, n) for n in range(2, 10)])
        assert eventually(lambda: len(votes.answers) == 5)
        for answer in votes.answers:
            check_busy(answer)
    assert sorted(status for status, _, _ in votes.all()) == [200] * 3 + [503] * 5


def test_a_search_that_would_mend_the_index_of_words_does_not_wait_to(tmp_path):
    texts = tmp_path / "texts.csv"
    texts.write_text("text\n" + "\n".join(f"a note on subject {number}" for number in range(20)) + "\n")
    path = tmp_path / "c.lookalike"
    with Collection(path, embedder=FakeTextEmbedder()) as collection:
        collection.add(texts, column="text")
    with closing(sqlite3.connect(path / "store.sqlite")) as connection:
        (table,) = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE '%_data'").fetchone()
        connection.execute(f"UPDATE {table} SET block = X'00' WHERE id > 10")
        connection.commit()
    exact = ("POST", "/api/search", {"examples": [{"words": "subject note"}], "hybrid": True})
    with served(Collection(path, embedder=FakeTextEmbedder())) as address:
        with writing(path / "store.sqlite"):
            for answer in Asking([lambda: ask(address, *exact)] * 8).all():
                check_busy(answer)
            assert ask(address, *READS["search"])[0] == 200
        assert ask(address, *exact)[0] == 200


class HeldUp(DecodePool):
    """Reads no photo that is sent to it until it may."""

    def __init__(self):
        super().__init__(1)
        self.held = threading.Semaphore(0)
        self.go_on = threading.Event()

    def photos(self, requests):
        self.held.release()
        assert self.go_on.wait(30)
        return super().photos(requests)

    def thumbnail(self, request):
        if request.content is not None:
            self.held.release()
            assert self.go_on.wait(30)
        return super().thumbnail(request)


@pytest.mark.parametrize("target", UPLOADS.values())
def test_photos_that_take_long_hold_up_neither_reads_nor_searches(path, folder, target):
    decoder = HeldUp()
    photo = (folder / "photos" / "03.png").read_bytes()
    with served(collection_at(path, decoder=decoder)) as address:
        uploads = Asking([lambda: ask(address, "POST", target, *form(photo))] * 40)
        assert decoder.held.acquire(timeout=10)
        try:
            for name, asked in READS.items():
                assert ask(address, *asked)[0] == 200, name
            assert uploads.answers == []
        finally:
            decoder.go_on.set()
        assert {status for status, _, _ in uploads.all()} == {200}


@pytest.mark.parametrize(
    ("slow", "name"),
    [
        ("facets", "getFacets"),
        ("info", "getCollection"),
        ("items", "browseItems"),
        ("random_items", "randomItems"),
        ("votes", "listVotes"),
        ("copies", "listCopies"),
    ],
)
def test_what_goes_through_all_items_holds_up_neither_single_ones_nor_searches(path, slow, name):
    collection = collection_at(path)
    held, go_on = threading.Semaphore(0), threading.Event()
    real = getattr(collection, slow)

    def slowly(*asked, **more):
        held.release()
        assert go_on.wait(30)
        return real(*asked, **more)

    setattr(collection, slow, slowly)
    with served(collection) as address:
        waiting = Asking([lambda: ask(address, *READS[name])] * 20)
        assert held.acquire(timeout=10)
        try:
            for other in ("getItem", "getPhoto", "getThumbnail", "getHealth", "search"):
                assert ask(address, *READS[other])[0] == 200, other
            assert vote(address, 2)[0] == 200
            assert waiting.answers == []
        finally:
            go_on.set()
        assert {status for status, _, _ in waiting.all()} == {200}
