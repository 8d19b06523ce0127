"""The collection as its callers use and misuse it."""

import multiprocessing
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.errors import CollectionError, ModelMismatchError, UsageError
from lookalike.index.file import load_index
from lookalike.indexing import live as indexing


@pytest.fixture
def photos(tmp_path, make_photo):
    for seed in range(12):
        make_photo(tmp_path / "photos" / f"{seed:02}.png", seed)
    return tmp_path / "photos"


@pytest.fixture
def collection(tmp_path, photos):
    with Collection(tmp_path / "c.lookalike", embedder=FakeEmbedder()) as made:
        made.add(photos)
        yield made


def test_an_empty_text_is_never_the_current_folder(collection, photos, monkeypatch):
    monkeypatch.chdir(photos)
    for misuse in (
        lambda: collection.remove(""),
        lambda: collection.add(""),
        lambda: collection.search(""),
        lambda: collection.items(where=["folder="]),
        lambda: Collection(""),
    ):
        with pytest.raises(UsageError, match="expected a path"):
            misuse()
    assert collection.info().items == 12


@pytest.mark.parametrize("query", [None, 2.5, True, object()])
def test_what_is_no_query_is_refused(collection, query):
    with pytest.raises(UsageError, match=r"a query is a photo|expected a photo's path"):
        collection.search(query)


@pytest.mark.parametrize("k", [0, -3, 2.5, "8", True, None])
def test_what_is_no_count_is_refused(collection, k):
    with pytest.raises(UsageError, match="k is how many"):
        collection.search(1, k)


def test_numbers_of_numpy_are_ids_and_counts(collection):
    assert len(collection.search(np.int64(3), np.int32(4))) == 4


def test_a_single_condition_needs_no_list(collection):
    assert len(collection.search(1, 20, where="format=PNG")) == 11


def test_a_home_folder_is_meant_by_text_only(tmp_path, make_photo, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    make_photo(tmp_path / "home" / "a.png", 1)
    odd = make_photo(tmp_path / "~x.png", 2)
    monkeypatch.chdir(tmp_path)
    with Collection("c.lookalike", embedder=FakeEmbedder()) as collection:
        assert collection.add("~/a.png", "~x.png").added == 2
        assert {hit.uri for hit in collection.search("~x.png", 2)} == {
            str(odd),
            str(tmp_path / "home" / "a.png"),
        }


def test_an_unknown_model_leaves_nothing_behind(tmp_path, photos):
    with pytest.raises(UsageError, match="no model named 'nope'"):
        Collection(tmp_path / "new.lookalike", model="nope").add(photos)
    assert not (tmp_path / "new.lookalike").exists()


def test_a_second_model_is_refused(collection, photos):
    with (
        Collection(collection.path, embedder=FakeEmbedder(name="other")) as other,
        pytest.raises(ModelMismatchError, match="made with the model fake, not other"),
    ):
        other.add(photos)


def test_a_failed_index_does_not_fail_an_add(tmp_path, photos, monkeypatch):
    monkeypatch.setattr(indexing, "EXACT_UP_TO", 5)

    def failing(*_):
        raise OSError(28, "No space")

    monkeypatch.setattr("lookalike.index.file._replace", failing)
    with Collection(tmp_path / "c.lookalike", embedder=FakeEmbedder()) as collection:
        report = collection.add(photos)
        assert report.added == 12
        assert "No space" in report.index_problem
        assert collection.search(photos / "03.png", 1)[0].uri == str(photos / "03.png")


def test_churn_over_many_openings_wears_an_index(tmp_path, make_photo, monkeypatch):
    monkeypatch.setattr(indexing, "EXACT_UP_TO", 50)
    monkeypatch.setattr("lookalike.indexing.indexer._SAVE_AFTER", 5)
    folder = tmp_path / "photos"
    for seed in range(100):
        make_photo(folder / f"{seed}.png", seed)
    path = tmp_path / "c.lookalike"
    counts = []
    for run in range(4):
        for seed in range(10):  # as many items as before, but others
            make_photo(folder / f"{seed}.png", 1000 * run + seed)
        with Collection(path, embedder=FakeEmbedder()) as collection:
            collection.add(folder)
        _, header = load_index(next((path / "index").iterdir()))
        counts.append(header.changed)
    assert counts == [0, 10, 20, 0]  # the last one passed a quarter and was built anew


def test_a_file_that_is_being_written_is_not_taken_for_a_leftover(tmp_path, photos, monkeypatch):
    monkeypatch.setattr(indexing, "EXACT_UP_TO", 5)
    with Collection(tmp_path / "c.lookalike", embedder=FakeEmbedder()) as collection:
        collection.add(photos)
        (index,) = (collection.path / "index").iterdir()
        writing, old = (index.with_name(f"{index.name}.{name}.new") for name in ("1-1", "2-2"))
        for each in (writing, old):
            each.write_bytes(b"")
        os.utime(old, (1, 1))
        (keeper,) = collection.engine.index_keepers()
        keeper._indexer.save(keeper.live())
        assert writing.exists() and not old.exists()


def test_an_index_of_another_faiss_is_rebuilt(tmp_path, photos, monkeypatch):
    monkeypatch.setattr(indexing, "EXACT_UP_TO", 5)
    with Collection(tmp_path / "c.lookalike", embedder=FakeEmbedder()) as collection:
        collection.add(photos)
    (index,) = (collection.path / "index").iterdir()
    from lookalike.index import file

    with monkeypatch.context() as patch:  # whole by its checksum, but nothing that Faiss can read
        patch.setattr(file.IvfIndex, "to_bytes", lambda self: b"IxXX" + bytes(100))
        loaded, header = load_index(index)
        file.save_index(index, loaded, header)
    with Collection(collection.path, embedder=FakeEmbedder()) as again:
        assert "another version" in again.verify().damage[0].detail
        assert again.search(photos / "05.png", 1)[0].uri == str(photos / "05.png")
        again.wait_for_index()
        assert again.verify().sound


INSIDE = """
import sys
from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
with Collection(sys.argv[1], embedder=FakeEmbedder()) as collection:
    collection.info()
"""


def test_a_collection_inside_its_own_photos_loses_nothing(photos, make_photo):
    """Another process that comes and goes must not take the log away from under an add."""
    inside = photos / "my collection"
    with Collection(inside, embedder=FakeEmbedder()) as collection:
        assert collection.add(photos).found == 12
        subprocess.run([sys.executable, "-c", INSIDE, inside], check=True)
        for seed in range(20, 30):
            make_photo(photos / f"{seed}.png", seed)
        assert collection.add(photos).added == 10
        subprocess.run([sys.executable, "-c", INSIDE, inside], check=True)
        collection.add(make_photo(photos / "last.png", 99))
        # What another process sees now is what a kill at this moment would leave.
        seen = "print(Collection(sys.argv[1], embedder=FakeEmbedder()).info().items)"
        script = INSIDE.split("with", maxsplit=1)[0] + seen
        told = subprocess.run(
            [sys.executable, "-c", script, inside], check=True, capture_output=True, text=True
        )
        assert told.stdout == "23\n"


def test_a_folder_with_only_hidden_files_may_become_a_collection(tmp_path, photos):
    folder = tmp_path / "new"
    folder.mkdir()
    (folder / ".DS_Store").write_bytes(b"x")
    with Collection(folder, embedder=FakeEmbedder()) as collection:
        assert collection.add(photos).added == 12


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_answers_like_its_parent(collection, photos):
    expected = collection.search(photos / "04.png", 3).hits
    mine, theirs = multiprocessing.Pipe()
    child = os.fork()
    if child == 0:
        try:
            theirs.send(collection.search(photos / "04.png", 3).hits)
        finally:
            os._exit(0)
    assert mine.poll(30), "the child hangs"
    assert mine.recv() == expected
    os.waitpid(child, 0)
    assert collection.search(photos / "04.png", 3).hits == expected


def test_closing_while_others_search_is_at_worst_an_error_and_no_crash(collection):
    done = threading.Event()
    outcomes = []

    def ask():
        while not done.is_set():
            try:
                outcomes.append(len(collection.search(1, 3)))
            except CollectionError as error:
                outcomes.append(str(error))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        time.sleep(0.05)
        collection.close()
    done.set()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert 3 in outcomes
    assert all(each == 3 or "closed" in each for each in outcomes), set(outcomes)


@pytest.mark.parametrize("k", [10**6, 10**12, 10**30])
def test_any_k_is_answered(tmp_path, photos, monkeypatch, k):
    monkeypatch.setattr(indexing, "EXACT_UP_TO", 5)
    with Collection(tmp_path / "c.lookalike", embedder=FakeEmbedder()) as collection:
        collection.add(photos)
        assert len(collection.search(1, k)) == 11
