"""What programmers do with a collection: vectors out and in, pictures, tables, many queries, clear errors."""

from __future__ import annotations

import asyncio
import logging
import re
import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lookalike
from lookalike import (
    Collection,
    Example,
    Items,
    LookalikeError,
    NotFoundError,
    QueryError,
    UsageError,
    Vector,
    Words,
)
from lookalike.embedders.fake import FakeEmbedder
from lookalike.errors import DamagedError
from lookalike.records import Box
from lookalike.search.listing import every_item


@pytest.fixture(scope="module")
def photos(shared_data, tmp_path_factory):
    """A hundred photos of five classes, by the default model."""
    with Collection(tmp_path_factory.mktemp("python") / "c.lookalike") as collection:
        collection.add(*(shared_data / "caltech50" / name for name in ("panda", "pizza", "cup", "starfish")))
        collection.add(shared_data / "caltech50" / "sunflower")
        yield collection


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    (folder / "t.csv").write_text("text,id,stars\nmy phone is broken,a,5\nbread and butter,b,\n")
    with Collection(folder / "t.lookalike") as collection:
        collection.add(folder / "t.csv", column="text")
        yield collection


def test_a_collection_has_a_length_and_is_walked_through(photos, tmp_path):
    items = list(photos)
    assert len(photos) == len(items) == 100
    assert [item.id for item in items] == sorted(item.id for item in items)
    assert items == photos.items(limit=1_000)
    empty = Collection(tmp_path / "none.lookalike")
    assert len(empty) == 0 and list(empty) == [] and not (tmp_path / "none.lookalike").exists()


def test_walking_says_what_it_left_out(tmp_path, make_photo, caplog):
    for seed in range(3):
        make_photo(tmp_path / "p" / f"{seed}.png", seed)
    with Collection(tmp_path / "c.lookalike", embedder=FakeEmbedder()) as collection:
        collection.add(tmp_path / "p")
    with sqlite3.connect(tmp_path / "c.lookalike" / "store.sqlite") as connection:
        connection.execute("UPDATE items SET size = size + 1 WHERE id = 2")
        connection.execute("UPDATE vectors_1 SET vector = zeroblob(length(vector)) WHERE item_id = 3")
    connection.close()
    with Collection(tmp_path / "c.lookalike", embedder=FakeEmbedder()) as collection:
        with caplog.at_level(logging.WARNING):
            assert [item.id for item in collection] == [1, 3]
        assert "1 damaged items were left out" in caplog.text
        for ids in (None, [1, 3]):
            with pytest.raises(DamagedError, match="vector of item 3 is damaged"):
                collection.vectors(ids)


def test_items_come_by_id_in_whatever_order_an_engine_finds_them():
    class Items:
        def matching(self, filters, *, after=0, limit=-1):
            return np.array([each for each in (2, 3, 7, 9) if each > after][:2])

        def get(self, ids):
            return {each: f"item {each}" for each in reversed(ids)}

    assert list(every_item(Items())) == ["item 2", "item 3", "item 7", "item 9"]


def test_a_space_that_is_still_empty_has_no_vectors(tmp_path, make_photo):
    make_photo(tmp_path / "p" / "0.png", 0)
    with Collection(tmp_path / "c.lookalike", embedder=FakeEmbedder()) as collection:
        collection.add(tmp_path / "p")
        collection.engine.store.ensure_space("empty", "0" * 64, 8, kind="photo", reference="")
        assert collection.vectors(space="empty").shape == (0, 8)
        assert collection.vectors().shape == (1, 32)


def test_vectors_come_in_the_order_that_is_asked_for(photos):
    everything = photos.vectors()
    assert (everything.shape, everything.dtype) == ((100, 504), np.float32)
    assert np.linalg.norm(everything, axis=1) == pytest.approx(np.ones(100), abs=1e-5)
    ids = [item.id for item in photos]
    assert np.array_equal(photos.vectors([ids[7], ids[3], ids[7]]), everything[[7, 3, 7]])
    assert photos.vectors(np.array(ids[:2])).shape == (2, 504)
    assert photos.vectors([]).shape == (0, 504)
    assert photos.vectors(ids[:1], space="efficientnet-lite0-504-words").shape == (1, 384)
    with pytest.raises(NotFoundError, match="item 4711 has no vector"):
        photos.vectors([ids[0], 4711])
    with pytest.raises(NotFoundError, match="no space named"):
        photos.vectors(space="other")


def test_a_vector_finds_what_its_item_finds(photos):
    item = photos.items(limit=1)[0]
    row = photos.vectors([item.id])[0]
    own, *others = photos.search(row, 11, rerank=False)
    assert own.id == item.id and own.score == pytest.approx(1, abs=1e-5)
    expected = [hit.id for hit in photos.search(item, 10, rerank=False)]
    assert [hit.id for hit in others] == expected
    for same in (row.astype(np.float64), 7 * row, Vector(row), list(row.tolist()) and np.array(row.tolist())):
        assert [hit.id for hit in photos.search(same, 11, rerank=False)][1:] == expected
    key = photos.search(row, 1).key
    assert re.fullmatch("vector:[0-9a-f]{32}", key) and key == photos.search(row.copy(), 1).key
    mixed = photos.search([Example(Vector(row)), Example(item.id, weight=-0.5)], 3)
    assert len(mixed) == 3


def test_vectors_that_cannot_be_are_refused(photos):
    with pytest.raises(UsageError, match=r"vector of 3 numbers .* 504"):
        photos.search(np.ones(3))
    with pytest.raises(QueryError, match="no direction"):
        photos.search(np.zeros(504))
    with pytest.raises(QueryError, match="no direction"):
        photos.search(np.full(504, np.nan))
    with pytest.raises(UsageError, match=r"float64 of shape \(2, 504\); for several vectors: search_many"):
        photos.search(np.ones((2, 504)))
    with pytest.raises(UsageError, match=r"float64 of shape \(5, 5, 3\)"):
        photos.search(np.ones((5, 5, 3)))
    with pytest.raises(UsageError, match="words and vectors have none"):
        photos.search([Example(Vector(np.ones(504, np.float32)), box=Box(0, 0, 1, 1))])


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "CMYK", "1"])
def test_a_picture_of_pillow_is_searched_by_as_its_file(photos, mode):
    path = Path(photos.items(limit=30)[-1].uri)
    with Image.open(path) as picture:
        found = photos.search(picture.convert(mode), 5, rerank=False)
    if mode in ("RGB", "RGBA", "CMYK"):
        assert found[0].uri == str(path) and found[0].score > 0.99
    else:
        assert str(path) in [hit.uri for hit in found]


def test_a_picture_lies_as_its_exif_says(photos, shared_data):
    with Image.open(shared_data / "exif" / "Landscape_6.jpg") as sideways:
        by_picture = lookalike.embed(sideways)
    by_file = lookalike.embed(
        [shared_data / "exif" / "Landscape_6.jpg", shared_data / "exif" / "Landscape_1.jpg"]
    )
    assert (by_file @ by_picture[0] > (0.99, 0.9)).all()


def test_an_array_of_pixels_is_a_picture(photos):
    path = photos.items(limit=1)[0].uri
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    assert photos.search(pixels, 1)[0].uri == path
    assert photos.search(pixels[::-1][::-1], 1)[0].score > 0.99
    assert len(photos.search(pixels[..., 0], 3)) == 3
    assert np.array_equal(lookalike.embed([pixels]), lookalike.embed(pixels))


def test_a_damaged_picture_of_pillow_is_refused(tmp_path, make_photo, photos):
    path = make_photo(tmp_path / "a.jpg", 1, size=(400, 300))
    path.write_bytes(path.read_bytes()[:2_000])
    with Image.open(path) as picture, pytest.raises(UsageError, match="cannot search by this picture"):
        photos.search(picture)


def test_items_and_hits_are_queries(photos):
    item = photos.items(limit=5)[-1]
    by_id = photos.search(item.id, 4)
    assert photos.search(item, 4).hits == by_id.hits
    assert photos.search(by_id[0], 1).key == f"item:{by_id[0].id}"
    assert photos.search([Example(item)], 4).hits == by_id.hits


def test_many_queries_give_what_each_alone_gives(photos):
    ids = [item.id for item in photos]
    for rerank in (None, False):
        together = photos.search_many(ids, 6, rerank=rerank)
        assert together == [photos.search(item_id, 6, rerank=rerank) for item_id in ids]
    kinds = [ids[0], [Example(ids[1]), Example(ids[2])], photos.vectors(ids[:1])[0], Example(ids[3], -1)]
    assert photos.search_many(kinds, 60) == [photos.search(each, 60) for each in kinds]
    rows = photos.vectors(ids[:9])
    assert [hits[0].id for hits in photos.search_many(rows, 1)] == ids[:9]
    assert photos.search_many([], 3) == []


def test_options_of_search(photos, texts):
    item = photos.items(limit=1)[0]
    hits = photos.search(item, 3, space="efficientnet-lite0-504-words", where="width>=100")
    assert hits.space.endswith("-words") and not photos.search(item, 3, rerank=False).reranked
    assert photos.search(item, 3).reranked and not photos.search(Words("a panda"), 3).reranked
    assert photos.search(Words("a panda"), 3, rerank=True).reranked
    assert texts.search(Words("bread"), 2, hybrid=True)[0].matched


@pytest.mark.parametrize(
    "wrong", [3.5, None, object(), True, {"a": 1}, {1, 2}, 1j, np.array(["a"]), np.float32(2), Path]
)
def test_what_can_be_no_query_is_refused_by_name(photos, wrong):
    with pytest.raises(UsageError) as refused:
        photos.search(wrong)
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 400


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.search(1, where=5),
        lambda c: c.search(1, where=[5]),
        lambda c: c.search(1, k="3"),
        lambda c: c.add(5),
        lambda c: c.items(where=None),
        lambda c: c.remove(2.5),
        lambda c: c.thumbnail(None),
        lambda _: Collection(5),
    ],
)
def test_wrong_types_are_the_callers_error(photos, call):
    with pytest.raises(LookalikeError):
        call(photos)


def test_items_become_tables(photos, texts):
    items = photos.items(limit=1_000)
    assert isinstance(items, Items) and isinstance(photos.random_items(2), Items)
    table = items.to_arrow()
    assert table.column_names[:3] == ["id", "uri", "content"] and table.num_rows == 100
    assert table["width"].to_pylist() == [item.metadata["width"] for item in items]
    frame = items.to_pandas()
    assert frame["uri"].tolist() == [item.uri for item in items]
    assert frame["content"][0] == items[0].content_hash.hex()
    rows = texts.items().to_pandas()
    assert list(rows.columns) == ["id", "uri", "content", "text", "places", "id_", "stars"]
    assert rows["id_"].tolist() == ["a", "b"] and rows["text"][1] == "bread and butter"
    named = Items([replace(items[0], metadata={"uri": "elsewhere", "rating": 3}), items[1]])
    assert (
        named.to_pandas()["metadata.uri"][0] == "elsewhere" and named.to_arrow()["rating"][1].as_py() is None
    )
    assert Items().to_arrow().num_rows == 0 and len(Items().to_pandas()) == 0


def test_vectors_without_a_collection_are_those_that_it_stores(photos, texts):
    items = photos.items(limit=7)
    paths = [Path(item.uri) for item in items]
    stored = photos.vectors([item.id for item in items])
    heard = []
    made = lookalike.embed(paths, on_step=lambda *step: heard.append(step))
    assert np.array_equal(made, stored) and heard == [("embedding", 7, 7)]
    assert np.array_equal(lookalike.embed([path.read_bytes() for path in paths]), stored)
    assert np.array_equal(lookalike.embed(list(map(str, paths)), kind="photo"), stored)
    assert np.array_equal(lookalike.embed(str(paths[0]), model="fast"), stored[:1])
    assert lookalike.embed(paths[:1], model="better").shape == (1, 504)
    sentences = [item.text for item in texts]
    assert lookalike.embed(sentences, kind="text") == pytest.approx(texts.vectors(), abs=1e-6)
    assert lookalike.embed([], kind="text").shape == (0, 384)


def test_what_cannot_be_embedded_is_said(tmp_path):
    with pytest.raises(UsageError, match="texts or paths of photos"):
        lookalike.embed(["a.jpg"])
    with pytest.raises(QueryError, match="no such file"):
        lookalike.embed([tmp_path / "a.jpg"])
    with pytest.raises(QueryError, match="photo number 0"):
        lookalike.embed(b"no photo")
    with pytest.raises(UsageError, match="one for photos, not for texts"):
        lookalike.embed(["a"], model="fast", kind="text")
    with pytest.raises(UsageError, match="a text is str, got int"):
        lookalike.embed([5], kind="text")
    with pytest.raises(UsageError, match="got int"):
        lookalike.embed([5])


def test_searches_wait_beside_each_other_in_asyncio(photos):
    """As the guide in `help(lookalike)` says."""

    async def ask(ids):
        return await asyncio.gather(*(asyncio.to_thread(photos.search, each, 3) for each in ids))

    ids = [item.id for item in photos.items(limit=8)]
    assert asyncio.run(ask(ids)) == [photos.search(each, 3) for each in ids]


def test_the_guide_names_only_what_there_is():
    for name in re.findall(r"`lookalike\.([a-z_]+)", lookalike.__doc__):
        assert name == "notebook" or hasattr(lookalike, name), name
    for name in lookalike.__all__:
        assert getattr(lookalike, name).__doc__ or name == "__version__", name
    assert dir(lookalike) == sorted(lookalike.__all__)
