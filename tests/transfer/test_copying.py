"""A collection copied to another folder: all of it or what is left out is named, killed copies go on."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from helpers import ended_after, execute, select
from lookalike import Collection
from lookalike.decisions import Decision
from lookalike.embedders.fake import FakePairedEmbedder, FakeTextEmbedder
from lookalike.errors import DamagedError, UsageError
from lookalike.store import Store
from lookalike.store.copy_mark import COPY_FILE, read_copy_mark
from lookalike.store.decisions import Decisions
from text_helpers import write_csv

AT = "2026-12-05T12:00:00+00:00"
TEXTS = [f"a text about the number {number}" for number in range(1_200)]  # three pages


@pytest.fixture
def texts(tmp_path):
    """A collection of texts of which some stand at several places."""
    table = write_csv(tmp_path / "texts.csv", [*TEXTS, *TEXTS[3:6], TEXTS[4]])
    with Collection(tmp_path / "old.lookalike", embedder=FakeTextEmbedder()) as collection:
        collection.add(table, column="text")
        yield collection


@pytest.fixture
def photos(tmp_path, make_photo):
    """A collection of photos with two spaces."""
    for seed in range(20):
        make_photo(tmp_path / "photos" / f"{seed:02}.png", seed)
    with Collection(tmp_path / "old.lookalike", embedder=FakePairedEmbedder()) as collection:
        collection.add(tmp_path / "photos")
        yield collection


@pytest.fixture
def target(tmp_path):
    """Where copies go."""
    with Collection(tmp_path / "new.lookalike") as collection:
        yield collection


def contents(collection):
    """All that a copy is to have, read beside the code that copies."""
    folder = collection.path
    tables = ["items", "votes", "decisions"]
    tables += [f"vectors_{number}" for (number,) in select(folder, "SELECT id FROM spaces")]
    found = {name: select(folder, f"SELECT * FROM {name} ORDER BY 1") for name in tables}
    for name in tables[3:]:
        found[name] = [(row[0], row[3]) for row in found[name]]  # but the clock, and what is made with it
    found["places"] = select(folder, "SELECT uri, item_id FROM places ORDER BY uri")
    found["texts"] = select(folder, "SELECT item_id, text FROM texts ORDER BY 1")
    return found


def interrupted_copy(source, target, pages=1):
    with ended_after(pages, target):
        source.copy_to(target)


def test_all_is_copied_to_the_last_bit(photos, target):
    found = photos.search(photos.items()[0].id, 3)
    photos.vote(found.key, found[0].id, 1)
    photos.vote(found.key, found[1].id, -1)
    one, two, three = (item.content_hash for item in photos.items()[:3])
    photos.decide([Decision(one, two, "different", AT), Decision(three, bytes(32), "keep both", AT)])
    report = photos.copy_to(target)
    assert (report.items, report.known, report.votes, report.notes) == (20, 0, 2, ())
    assert report.decisions == 2
    assert target.decisions() == photos.decisions()
    assert list(report.vectors.values()) == [20, 20]
    assert contents(target) == contents(photos)
    assert target.verify().sound
    assert photos.copy_to(target).known == 20
    assert not (target.path / COPY_FILE).exists()


def test_a_copy_without_a_decision_is_told(photos, target, monkeypatch):
    photos.decide([Decision(bytes(32), b"1" * 32, "different", AT)])
    with monkeypatch.context() as patched:
        patched.setattr(Decisions, "put", lambda *_: None)
        with pytest.raises(DamagedError, match="1 of the decisions in "):
            photos.copy_to(target)
    assert photos.copy_to(target).decisions == 1
    assert target.decisions() == photos.decisions()


def test_texts_keep_all_their_places(texts, target):
    report = texts.copy_to(target)
    assert (report.items, report.notes) == (1_200, ())
    assert contents(target) == contents(texts)
    assert target.verify().sound
    assert target.item(texts.items()[4].id).places == 3


@pytest.mark.parametrize("pages", [0, 1, 2])
def test_a_killed_copy_goes_on(texts, target, pages):
    interrupted_copy(texts, target, pages)
    assert read_copy_mark(target.path) == str(texts.path)
    target.close()  # as in another process
    report = texts.copy_to(target)
    assert (report.items, report.known) == (1_200, 500 * pages)
    assert contents(target) == contents(texts)
    assert read_copy_mark(target.path) is None


def test_a_killed_copy_follows_a_source_that_has_changed(texts, target, tmp_path):
    interrupted_copy(texts, target, pages=2)
    kept = [*TEXTS[:3], *TEXTS[10:]]
    # rows gone, in another order, and others at the places of before
    write_csv(tmp_path / "texts.csv", [TEXTS[500], *kept, TEXTS[2], TEXTS[9], "a new one"])
    texts.add(tmp_path / "texts.csv", column="text")
    report = texts.copy_to(target)
    assert report.items == len(kept) + 2
    assert any("had changed or gone since" in note for note in report.notes)
    assert contents(target) == contents(texts)
    assert target.verify().sound


def test_a_place_that_has_moved_from_one_text_to_another_moves_in_the_copy(tmp_path, target):
    table = write_csv(tmp_path / "a.csv", ["one", "two", "one", "two", *TEXTS])
    with Collection(tmp_path / "old.lookalike", embedder=FakeTextEmbedder()) as source:
        source.add(table, column="text")
        interrupted_copy(source, target)
        write_csv(table, ["one", "two", "two", "one", *TEXTS])
        source.add(table, column="text")
        source.copy_to(target)
        assert contents(target) == contents(source)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_killed_copy_follows_photos_that_change_move_and_go(
    photos, target, tmp_path, make_photo, swapped, monkeypatch
):
    from lookalike.transfer import comparing

    monkeypatch.setattr(comparing, "_PAGE", 5)
    interrupted_copy(photos, target, pages=3)
    folder = tmp_path / "photos"
    make_photo(folder / "01.png", 101)
    (folder / "02.png").unlink()
    if swapped:
        for one, other in (("03.png", "x.png"), ("04.png", "03.png"), ("x.png", "04.png")):
            (folder / one).rename(folder / other)
    else:
        (folder / "03.png").rename(folder / "moved.png")
    make_photo(folder / "new.png", 102)
    photos.add(folder, prune=True)
    photos.copy_to(target)
    assert contents(target) == contents(photos)


@pytest.mark.parametrize("change", ["removed", "changed", "other"])
def test_a_target_that_is_no_copy_under_way_is_refused_and_untouched(
    photos, target, tmp_path, make_photo, change
):
    photos.copy_to(target)
    if change == "removed":
        photos.remove(tmp_path / "photos" / "00.png")
    elif change == "changed":
        make_photo(tmp_path / "photos" / "00.png", 300)
        photos.add(tmp_path / "photos")
    else:
        shutil.copytree(photos.path, tmp_path / "third.lookalike")
        target.remove(*[item.id for item in target.items()][5:])
        store = target._opened.store()
        store.note_copy_source(str(tmp_path / "third.lookalike"))  # begun from elsewhere
        photos.remove(tmp_path / "photos" / "00.png")
    before = contents(target)
    with pytest.raises(UsageError, match=r"00.png: copy to a new one"):
        photos.copy_to(target)
    assert contents(target) == before


def test_what_was_added_to_a_copy_under_way_is_not_removed(texts, target, tmp_path):
    interrupted_copy(texts, target)
    target.close()
    with Collection(target.path, embedder=FakeTextEmbedder()) as mine:
        mine.add(write_csv(tmp_path / "own.csv", ["my own text"]), column="text")
        before = contents(mine)
        with pytest.raises(UsageError, match=r"own.csv#1: copy to a new one"):
            texts.copy_to(mine)
        assert contents(mine) == before


def test_an_item_whose_vector_is_damaged_is_left_out_and_named(photos, target):
    ids = [item.id for item in photos.items()]
    first, further = f"vectors_{photos.spaces()[0].id}", f"vectors_{photos.spaces()[1].id}"
    photos.close()
    execute(
        photos.path,
        f"UPDATE {first} SET vector = zeroblob(length(vector)) WHERE item_id IN ({ids[2]}, {ids[7]})",
        f"DELETE FROM {first} WHERE item_id = {ids[9]}",
        f"UPDATE {further} SET vector = zeroblob(length(vector)) WHERE item_id = {ids[3]}",
        f"UPDATE items SET size = size + 1 WHERE id = {ids[11]}",
        f"INSERT INTO {first} SELECT 9999, seq, checksum, vector FROM {first} WHERE item_id = {ids[0]}",
    )
    for _ in range(2):
        report = photos.copy_to(target)
        assert (report.items, list(report.vectors.values())) == (16, [16, 15])
        told = "\n".join(report.notes)
        assert "3 items (such as " in told and "02.png) left out: the vector by" in told
        assert "1 item (" in told and "03.png) copied without a vector by" in told
        assert f"id {ids[11]}) left out: damaged" in told
        assert told.count("verify --repair") == 3
        there = {item.id for item in target.items()}
        assert there == set(ids) - {ids[2], ids[7], ids[9], ids[11]}
    assert report.known == 16
    photos.verify(repair=True)
    photos.add(*[item.uri for item in photos.items()][:1])
    photos.add(photos.path.parent / "photos")
    report = photos.copy_to(target)
    assert (report.items, report.notes) == (20, ())


def test_damage_between_two_attempts_does_not_end_the_copy(photos, target):
    photos.copy_to(target)
    ids = [item.id for item in photos.items()]
    photos.close()
    execute(photos.path, f"UPDATE items SET mtime_ns = 1 WHERE id = {ids[4]}")
    report = photos.copy_to(target)
    assert report.items == 19 and f"id {ids[4]}" in report.notes[0]
    assert len(target.items()) == 20  # what was copied while it was sound


def test_what_the_target_cannot_keep_is_left_out_and_named(photos, target):
    items = photos.items()
    store = target._opened.store(create=True)
    put = store.put_copied

    def put_copied(some):
        put([each for each in some if each.item.id != items[6].id])
        return {items[6].id: "its metadata is too long"}

    store.put_copied = put_copied
    for _ in range(2):
        report = photos.copy_to(target)
        assert report.items == 19
        assert report.notes == (f"1 item ({items[6].uri}) only in {photos.path}: its metadata is too long",)


def test_a_vector_that_was_made_anew_replaces_that_of_the_copy(photos, target):
    photos.copy_to(target)
    space, item = photos.spaces()[0], photos.items()[3]
    store = Store(photos.path)
    row = np.zeros(space.dim, np.float32)
    row[0] = 1
    store.vectors(space).fetch([item.id])
    from lookalike.store.commit import put_vector
    from lookalike.store.rows import encode_vector

    with store.database.writing() as connection:
        put_vector(connection, space, item.id, 99, encode_vector(row))
    store.close()
    assert photos.copy_to(target).known == 19
    assert contents(target) == contents(photos)


def test_a_mark_is_no_hindrance_to_opening_checking_or_taking_back(photos, target, tmp_path):
    interrupted_copy(photos, target, pages=0)
    target.close()
    assert [path.name for path in target.path.iterdir() if path.name == COPY_FILE]
    with Collection(tmp_path / "new.lookalike", embedder=FakePairedEmbedder()) as again:
        assert again.verify().sound
        again.add(tmp_path / "photos")
        assert len(again.items()) == 20
    (tmp_path / "bare.lookalike").mkdir()
    (tmp_path / "bare.lookalike" / COPY_FILE).write_text("elsewhere")
    with Collection(tmp_path / "bare.lookalike", embedder=FakePairedEmbedder()) as bare:
        bare.add(tmp_path / "photos" / "00.png")
