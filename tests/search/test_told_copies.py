"""Copies among hits by what close looks found and people decided, whatever the query was."""

from __future__ import annotations

import shutil
import sqlite3
import time
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from lookalike import Collection
from lookalike.copies.notes import FoundMatch, Notes
from lookalike.decisions import Decision
from lookalike.matching.verify import Match
from lookalike.records import SearchOptions, Words
from lookalike.search.queries import Example

OPTIONS = SearchOptions(30, mark_copies=True)
SOURCE = "okapi-1.jpg"
BY_HASH = {"mirrored.jpg", "turned.jpg", "small.jpg"}
BY_LOOKING = BY_HASH | {"crop.jpg"}
HOW = {
    "mirrored.jpg": ("mirrored",),
    "turned.jpg": ("turned 90°",),
    "small.jpg": ("smaller",),
    "crop.jpg": ("cropped",),
}
_SIDECAR = """<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:DateTimeOriginal="{moment}"/>
</rdf:RDF></x:xmpmeta>"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Path:
    """Some photos, copies of one of them, and a collection of them whose copies were looked at."""
    pytest.importorskip("cv2")
    folder = tmp_path_factory.mktemp("told")
    photos = folder / "photos"
    photos.mkdir()
    for kind in ("butterfly", "pizza", "okapi"):
        for at, path in enumerate(sorted((shared_data / "caltech50" / kind).glob("*.jpg"))[:3]):
            shutil.copyfile(path, photos / f"{kind}-{at + 1}.jpg")
    with Image.open(photos / SOURCE) as source:
        width, height = source.size
        ImageOps.mirror(source).save(photos / "mirrored.jpg", quality=85)
        source.transpose(Image.Transpose.ROTATE_270).save(
            photos / "turned.jpg", quality=85
        )  # clockwise by 90
        source.resize((width // 2, height // 2)).save(photos / "small.jpg", quality=85)
        source.crop((0, 0, int(0.6 * width), int(0.6 * height))).save(photos / "crop.jpg", quality=85)
    with Collection(folder / "plain.lookalike") as collection:
        collection.add(photos)
        collection.answer([1], OPTIONS)
    shutil.copytree(folder / "plain.lookalike", folder / "looked.lookalike")
    with Collection(folder / "looked.lookalike") as collection:
        collection.copies()
    return folder


@pytest.fixture
def opened(made, tmp_path):
    """Open a copy of one of the collections."""
    collections = []

    def open_copy(name: str) -> Collection:
        shutil.copytree(made / f"{name}.lookalike", tmp_path / f"{name}.lookalike")
        collections.append(Collection(tmp_path / f"{name}.lookalike"))
        return collections[-1]

    yield open_copy
    for each in collections:
        each.close()


def by_name(collection):
    return {Path(item.uri).name: item for item in collection.items()}


def family(collection, query=None):
    """How each hit that is folded together with the source is a copy of the first of them, by name.

    The default query is the source's neighbour, of which nothing is a copy.
    """
    items = by_name(collection)
    (result,) = collection.answer([query or items["okapi-2.jpg"].id], OPTIONS)
    names = {item.id: name for name, item in items.items()}
    told = {names[hit.id]: (names.get(hit.copy_of), hit.copy_how) for hit in result}
    first = next(name for name in told if name == SOURCE or name in BY_LOOKING)
    assert all(leader in (None, first) for leader, _ in told.values())
    assert all(leader is not None or how == () for leader, how in told.values())
    return first, {name: how for name, (leader, how) in told.items() if leader}


def decide(collection, verdict, *names):
    items = by_name(collection)
    source = items[SOURCE].content_hash
    pairs = [(source, items[name].content_hash) for name in names]
    collection.decide(Decision(*pair, verdict, "2026-01-01T00:00:00+00:00") for pair in pairs)


def test_what_a_close_look_found_is_folded_whatever_the_query_was(opened):
    collection = opened("looked")
    items = by_name(collection)
    queries = [
        items["okapi-2.jpg"].id,
        items["pizza-1.jpg"].id,
        Path(items["butterfly-1.jpg"].uri),
        Words("zebra"),
        [Example(items["okapi-2.jpg"].id), Example(items["pizza-1.jpg"].id, -0.5)],
    ]
    for query in queries:
        first, copies = family(collection, query)
        assert {first, *copies} == {SOURCE} | BY_LOOKING


@pytest.mark.parametrize("asked", ["mirrored.jpg", "turned.jpg", "small.jpg", "crop.jpg"])
def test_how_is_told_by_a_close_look_and_by_hashes_alone(opened, asked):
    for name in ("looked", "plain"):
        collection = opened(name)
        items = by_name(collection)
        for each in [*BY_LOOKING - {asked}, "okapi-2.jpg", "okapi-3.jpg"]:
            collection.remove(items[each].id)
        (result,) = collection.answer([Path(items[SOURCE].uri)], OPTIONS)
        assert result[0].id == items[SOURCE].id
        (copy,) = (hit for hit in result if hit.id == items[asked].id)
        if name == "looked" or asked in BY_HASH:
            assert (copy.copy_of, copy.copy_how) == (items[SOURCE].id, HOW[asked])
        else:
            assert (copy.copy_of, copy.copy_how) == (None, ())


def test_turned_and_mirrored_ones_are_folded_by_their_hashes_alone_and_nothing_is_made(opened):
    collection = opened("plain")
    first, copies = family(collection)
    assert {first, *copies} == {SOURCE} | BY_HASH
    assert not list(Path(collection.path).glob("copies.sqlite*"))


def test_a_decision_unfolds_and_folds_again(opened):
    collection = opened("looked")
    decide(collection, "keep both", *BY_LOOKING)
    first, copies = family(collection)
    assert {first, *copies} == {SOURCE} | BY_LOOKING
    decide(collection, "different", *BY_LOOKING)
    first, copies = family(collection)
    assert SOURCE not in (copies if first != SOURCE else BY_LOOKING & set(copies))
    assert len(copies) == (0 if first == SOURCE else len(BY_LOOKING) - 1)
    decide(collection, None, *BY_LOOKING)
    first, copies = family(collection)
    assert {first, *copies} == {SOURCE} | BY_LOOKING


@pytest.mark.parametrize("found", [None, FoundMatch(Match("scene", (1, 0, 0, 1, 0, 0), 0.9, 0.9, 0.2, 0.0))])
def test_what_a_close_look_found_to_be_no_copy_is_not_folded(opened, found):
    collection = opened("plain")
    items = by_name(collection)
    pair = items[SOURCE].content_hash, items["small.jpg"].content_hash
    for name in BY_HASH - {"small.jpg"}:
        collection.remove(items[name].id)
    assert set(family(collection)[1]) <= {SOURCE, "small.jpg"} and family(collection)[1]
    notes = Notes(Path(collection.path) / "copies.sqlite")
    numbers = notes.numbers(pair)
    notes.put_pairs({tuple(sorted(numbers.values())): found})
    assert family(collection)[1] == {}
    with sqlite3.connect(Path(collection.path) / "copies.sqlite") as connection:
        connection.execute("UPDATE pairs SET checksum = checksum + 1")  # as if it had never been noted
    assert family(collection)[1]
    notes.close()


def test_shots_of_other_moments_are_folded_only_after_a_close_look(opened, made, tmp_path):
    """A program wrote another moment into a mirrored copy; without the look it may be another shot."""
    for name in ("plain", "looked"):
        collection = opened(name)
        items = by_name(collection)
        photos = tmp_path / name
        photos.mkdir()
        for at, each in enumerate((SOURCE, "mirrored.jpg")):
            shutil.copyfile(items[each].uri, photos / each)
            (photos / f"{each}.xmp").write_text(_SIDECAR.format(moment=f"2020-01-0{at + 1}T10:00:00"))
        for each in [SOURCE, *BY_LOOKING]:
            collection.remove(items[each].id)
        collection.add(photos)
        taken = [item.metadata["taken"][:10] for item in collection.items(where="id>13")]
        assert taken == ["2020-01-02", "2020-01-01"]
        assert bool(family(collection)[1]) == (name == "looked")


def test_equal_files_are_told_as_such(opened, tmp_path):
    collection = opened("plain")
    items = by_name(collection)
    (tmp_path / "more").mkdir()
    for at in range(3):
        shutil.copyfile(items["pizza-1.jpg"].uri, tmp_path / "more" / f"same-{at}.jpg")
    collection.add(tmp_path / "more")
    (result,) = collection.answer([items["pizza-2.jpg"].id], OPTIONS)
    told = [hit for hit in result if hit.content_hash == items["pizza-1.jpg"].content_hash]
    assert [hit.copy_of for hit in told] == [None, *[told[0].id] * 3]
    assert [hit.copy_how for hit in told] == [(), *[("same file",)] * 3]


def test_notes_that_are_damaged_or_locked_are_no_trouble(opened, caplog):
    collection = opened("looked")
    path = Path(collection.path) / "copies.sqlite"
    before = family(collection)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")  # somebody writes
    assert family(collection) == before
    other.execute("ROLLBACK")
    collection.close()
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    first, copies = family(collection)
    assert {first, *copies} == {SOURCE} | BY_HASH
    assert time.monotonic() - began < 10
    other.close()
    assert family(collection) == before
    collection.close()
    for wrong in (b"nonsense" * 1000, b"", path.read_bytes()[:5000] + b"\1" * 50_000):
        path.write_bytes(wrong)
        first, copies = family(collection)
        assert {first, *copies} == {SOURCE} | BY_HASH
        assert path.read_bytes() == wrong  # whoever looks closely mends it
        collection.close()
    assert "cannot be read just now" in caplog.text
    path.unlink()
    collection.copies()
    assert family(collection)[0] == before[0] and set(family(collection)[1]) == set(before[1])


def test_a_file_that_is_replaced_while_it_is_open_is_read_anew(opened, made):
    collection = opened("plain")
    path = Path(collection.path) / "copies.sqlite"
    Notes(path).numbers([b"1"])
    assert "crop.jpg" not in family(collection)[1]
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    shutil.copyfile(made / "looked.lookalike" / "copies.sqlite", path)
    first, copies = family(collection)
    assert "crop.jpg" in (first, *copies)
