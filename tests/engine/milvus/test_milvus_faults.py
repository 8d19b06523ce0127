"""The engine is killed, paused and away: what was acknowledged is there afterwards, the rest is told."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.engine.milvus import client
from lookalike.errors import LookalikeError, UnreachableError
from lookalike.models import DEFAULT_MODEL
from lookalike.transfer.transfer import ImportRequest

sys.path.insert(0, str(Path(__file__).parents[3] / "bench"))
from engine import write_embedding

pytest_plugins = ["milvus_fixture", "milvus_places"]
pytestmark = pytest.mark.slow

_LONGEST = 75.0  # seconds that any call may take: that of a write, and some for what comes before


@pytest.fixture
def photos(tmp_path, make_photo):
    for seed in range(200):
        make_photo(tmp_path / "photos" / f"{seed:03}.png", seed)
    return tmp_path / "photos"


def open_at(place):
    return Collection(place, embedder=FakeEmbedder())


def back(place, seconds=60):
    """Wait until the engine answers again, and return how many items it has."""
    until = time.monotonic() + seconds
    while True:
        try:
            with open_at(place) as collection:
                return collection.info().items
        except LookalikeError:
            assert time.monotonic() < until, "the engine has not come back"
            time.sleep(0.5)


def bounded(call):
    """Call, and return what came of it and how long that took."""
    begun = time.monotonic()
    try:
        return call(), time.monotonic() - begun
    except LookalikeError as error:
        assert "\n" not in str(error)
        return error, time.monotonic() - begun


def test_an_engine_that_is_killed_loses_nothing_acknowledged(own_milvus_server, own_milvus_place, photos):
    server, place = own_milvus_server, own_milvus_place
    acknowledged: dict[str, int] = {}
    with open_at(place) as collection:
        collection.add(photos / "000.png")  # the collection is there
    random_ = random.Random(17)
    for _ in range(3):
        with open_at(place) as collection:
            killer = threading.Timer(random_.uniform(0.05, 1.0), server.kill)
            killer.start()

            def note(each):
                if each.item_id is not None:
                    acknowledged[each.uri] = each.item_id

            found, seconds = bounded(lambda: collection.add(photos, on_commit=note))
            killer.join()
            assert seconds < _LONGEST
            assert not isinstance(found, Exception) or isinstance(found, UnreachableError), found
            told, seconds = bounded(lambda: collection.search(photos / "001.png"))
            assert isinstance(told, UnreachableError) and seconds < 30
            server.restart()
            assert back(place) >= len(acknowledged)
            # the same object heals without being opened anew
            assert len(collection.search(photos / "000.png", 1)) == 1
            there = collection.engine.items.get(list(acknowledged.values()))
            assert {item.uri for item in there.values()} == set(acknowledged)
    with open_at(place) as collection:
        last = collection.add(photos)
        assert last.found == 200 and last.added + last.unchanged == 200
        assert collection.info().items == 200
        uris = [item.uri for item in collection.items(limit=1000)]
        assert len(uris) == len(set(uris)) == 200
        removed = [item.id for item in collection.items(limit=50)]
        killer = threading.Timer(0.02, server.kill)
        killer.start()
        gone, seconds = bounded(lambda: collection.remove(*removed))
        killer.join()
        assert seconds < _LONGEST
        server.restart()
        left = back(place)
        assert left == 150 if gone == 50 else left in range(150, 201)
        assert collection.remove(*[item.id for item in collection.items(limit=10)]) == 10
        assert collection.info().items == left - 10


def test_an_engine_that_is_killed_during_an_import_has_each_row_once(
    own_milvus_server, own_milvus_place, tmp_path
):
    """What was acknowledged is there after it is back, and the same import brings the rest."""
    server, place, count = own_milvus_server, own_milvus_place, 3_000
    rows = np.random.default_rng(0).normal(size=(count, 1_280)).astype(np.float32)
    write_embedding(tmp_path / "out", rows / np.linalg.norm(rows, axis=1, keepdims=True))
    request, acknowledged, random_ = ImportRequest(tmp_path / "out"), dict[str, int](), random.Random(23)

    def note(each):
        if each.item_id is not None:
            acknowledged[each.uri] = each.item_id

    for _ in range(2):
        with open_at(place) as collection:
            killer = threading.Timer(random_.uniform(0.05, 0.4), server.kill)

            def begun(name, done, _, killer=killer):
                if name == "importing" and not killer.ident:
                    killer.start()

            found, seconds = bounded(
                lambda begun=begun: collection.import_vectors(request, on_step=begun, on_commit=note)
            )
            killer.join()
            assert seconds < _LONGEST
            assert not isinstance(found, Exception) or isinstance(found, UnreachableError), found
        server.restart()
        assert back(place) >= len(acknowledged) > 0
    with open_at(place) as collection:
        assert set(collection.engine.items.get(list(acknowledged.values()))) == set(acknowledged.values())
        report, _ = collection.import_vectors(request)
        assert report.added + report.unchanged == count
        uris = [item.uri for page in collection.engine.items.pages() for item in page]
        assert len(uris) == len(set(uris)) == count == collection.info().items


def test_an_engine_that_hangs_holds_nobody_up_for_long(
    own_milvus_server, own_milvus_place, photos, monkeypatch
):
    monkeypatch.setattr(client, "CALL_SECONDS", 3.0)  # a server that hangs for longer than 10 s ends itself
    server, place = own_milvus_server, own_milvus_place
    with open_at(place) as collection:
        collection.add(photos)
        query = collection.items(limit=1)[0].id
        assert len(collection.search(query)) == 8
        server.pause()
        try:
            told, seconds = bounded(lambda: collection.search(query))
            assert isinstance(told, UnreachableError) and seconds < 30
            told, seconds = bounded(lambda: collection.search(query))  # nobody asks in vain right after that
            assert isinstance(told, UnreachableError) and seconds < 30
            told, seconds = bounded(collection.engine.check)
            assert isinstance(told, UnreachableError) and seconds < 5
        finally:
            server.resume()
        assert back(place) == 200  # it takes its time
        until = time.monotonic() + 30
        while isinstance(found := bounded(lambda: collection.search(query))[0], UnreachableError):
            assert time.monotonic() < until
            time.sleep(0.5)
        assert len(found) == 8


_ADD = """
import sys
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
with Collection(sys.argv[1], embedder=FakeEmbedder()) as collection:
    collection.add(sys.argv[2], on_commit=lambda each: print(each.uri, flush=True))
"""


def test_a_writer_that_is_killed_is_gone_on_with(milvus_place, photos):
    acknowledged: set[str] = set()
    with open_at(milvus_place) as collection:
        collection.add(photos / "000.png")
    random_ = random.Random(5)
    for _ in range(4):
        command = [sys.executable, "-c", _ADD, milvus_place, str(photos)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            wanted = random_.randrange(1, 90)
            for line in process.stdout:
                acknowledged.add(line.strip())
                wanted -= 1
                if not wanted:
                    process.kill()
                    break
            acknowledged.update(line.strip() for line in process.stdout)
    with open_at(milvus_place) as collection:
        there = {item.uri for item in collection.items(limit=1000)}
        assert acknowledged <= there
        assert collection.add(photos).found == 200
        uris = [item.uri for item in collection.items(limit=1000)]
        assert len(uris) == len(set(uris)) == collection.info().items == 200


def test_the_command_line_says_what_is_wrong_in_a_line(tmp_path, photos):
    place = "milvus://127.0.0.1:1/photos"
    for command in (
        ["info"],
        ["search", "id:1"],
        ["add", str(photos)],
        ["remove", "1"],
        ["models"],
        ["votes"],
    ):
        if command == ["models"]:
            continue  # lists what came with lookalike
        done = subprocess.run(
            [sys.executable, "-m", "lookalike", *command, "-c", place],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"lookalike: {place} does not answer; is Milvus running there?\n"


def test_copies_are_gone_on_with_and_compared(own_milvus_server, own_milvus_place, photos, tmp_path):
    server, place = own_milvus_server, own_milvus_place
    folder = tmp_path / "c.lookalike"
    with open_at(folder) as collection:
        collection.add(photos)
        hit = collection.search(photos / "003.png")
        collection.vote(hit.key, hit[0].id, 1)
        collection.vote(f"item:{hit[1].id}", hit[0].id, -1)
        before = {item.id: item for item in collection.items(limit=1000)}
        with open_at(place) as milvus:
            killer = threading.Timer(0.9, server.kill)
            killer.start()
            bounded(lambda: collection.copy_to(milvus))
            killer.join()
            server.restart()
            back_ = None
            until = time.monotonic() + 60
            while back_ is None and time.monotonic() < until:
                found, _ = bounded(lambda: collection.copy_to(milvus))
                back_ = None if isinstance(found, LookalikeError) else found
            assert back_ is not None and (back_.items, back_.votes) == (200, 2)
            assert {item.id: item for item in milvus.items(limit=1000)} == before
            assert [(vote.query, vote.item_id, vote.value) for vote in milvus.votes()] == [
                (vote.query, vote.item_id, vote.value) for vote in collection.votes()
            ]
            with open_at(tmp_path / "back.lookalike") as again:
                report = milvus.copy_to(again)
                assert report.items == 200 and again.verify().sound
                assert {item.id: item for item in again.items(limit=1000)} == before
                assert again.add(photos).unchanged == 200
                assert again.search(photos / "003.png").hits == hit.hits


def test_a_copy_over_another_collection_is_refused(new_milvus_place, photos, tmp_path):
    with open_at(tmp_path / "a.lookalike") as one, open_at(new_milvus_place()) as other:
        one.add(photos / "000.png", photos / "001.png")
        other.add(photos / "002.png")
        with pytest.raises(LookalikeError, match="holds items that"):
            one.copy_to(other)
        assert other.info().items == 1
        with open_at(tmp_path / "b.lookalike") as third:
            third.add(photos / "002.png")
            with pytest.raises(LookalikeError, match="holds items that"):
                one.copy_to(third)


def test_copy_says_what_it_did(new_milvus_place, photos, tmp_path):
    place, folder = new_milvus_place(), tmp_path / "c.lookalike"
    run = [sys.executable, "-m", "lookalike"]
    subprocess.run([*run, "add", *map(str, sorted(photos.iterdir())[:9]), "-c", str(folder)], check=True)
    done = subprocess.run(
        [*run, "copy", str(folder), place, "--json"], capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)
    assert (told["event"], told["items"], told["known"]) == ("copied", 9, 0)
    assert told["vectors"] == {DEFAULT_MODEL: 9, f"{DEFAULT_MODEL}-words": 9}
    again = subprocess.run([*run, "copy", str(folder), place], capture_output=True, text=True, check=True)
    assert again.stdout == f"9 items in {place}, 9 of them were there\n"
