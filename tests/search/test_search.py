"""Answers of a collection: which photos come back, whatever the kind of query, filter or index."""

import json

import numpy as np
import pytest
from PIL import Image

from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder
from lookalike.engine import local
from lookalike.errors import NotFoundError, QueryError, UsageError
from lookalike.indexing import live as indexing
from lookalike.records import FileStamp, Photo
from lookalike.store import PhotoBatch


@pytest.fixture
def photos(tmp_path, make_photo):
    """Forty photos in four folders."""
    return [make_photo(tmp_path / f"set{seed % 4}" / f"{seed:02}.png", seed) for seed in range(40)]


@pytest.fixture
def collection(tmp_path, photos):
    with Collection(tmp_path / "c.lookalike", embedder=FakeEmbedder()) as made:
        made.add(*{photo.parent for photo in photos})
        yield made


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB").resize((32, 32), Image.Resampling.BOX))


def expected(photos, query, k):
    """The k nearest by the fake's own vectors and plain arithmetic, for square photos of one size."""
    embedder = FakeEmbedder()
    rows = [embedder.embed(square(photo)[None])[0].astype(np.float64) for photo in (*photos, query)]
    scores = [float(row @ rows[-1]) for row in rows[:-1]]
    best = sorted(range(len(photos)), key=lambda at: -scores[at])[:k]
    return [(str(photos[at]), scores[at]) for at in best]


def square(path):
    with Image.open(path) as image:
        side = min(image.size)
        left, top = (image.width - side) / 2, (image.height - side) / 2
        box = (left, top, left + side, top + side)
        return np.asarray(image.resize((32, 32), Image.Resampling.BOX, box))


def test_the_nearest_come_back_best_first_with_their_cosine(collection, photos):
    for query in photos[:5]:
        result = collection.search(query, 6, rerank=False)
        truth = expected(photos, query, 6)
        assert [hit.uri for hit in result] == [uri for uri, _ in truth]
        assert [hit.score for hit in result] == pytest.approx([score for _, score in truth], abs=1e-5)
        assert result.recall == 1.0


def test_the_same_photo_is_first_under_another_name_and_format(collection, photos, tmp_path):
    renamed = tmp_path / "elsewhere" / "x.bmp"
    renamed.parent.mkdir()
    with Image.open(photos[7]) as image:
        image.save(renamed)
    hit = collection.search(renamed, 1)[0]
    assert (hit.uri, hit.score) == (str(photos[7]), pytest.approx(1.0, abs=1e-6))


def test_an_item_is_left_out_of_its_own_hits(collection, photos):
    own = collection.search(photos[3], 1)[0].id
    result = collection.search(own, 5, rerank=False)
    assert [hit.uri for hit in result] == [uri for uri, _ in expected(photos, photos[3], 6)][1:]


def test_many_queries_answer_as_each_alone(collection, photos):
    queries = [photos[0], 5, photos[9], 12]
    together = collection.search_many(queries, 4)
    assert [result.hits for result in together] == [collection.search(query, 4).hits for query in queries]


def test_k_beyond_the_collection_returns_all(collection, photos):
    assert len(collection.search(photos[0], 1000)) == 40
    assert len(collection.search(1, 1000)) == 39


def test_filters_still_return_k(collection, photos):
    folder = photos[0].parent
    result = collection.search(photos[1], 10, where=[f"folder={folder}"])
    inside = [photo for photo in photos if photo.parent == folder]
    assert [hit.uri for hit in result] == [uri for uri, _ in expected(inside, photos[1], 10)]
    assert collection.search(photos[1], 10, where=["width=1"]).hits == ()


def test_what_is_added_or_removed_shows_at_once(collection, photos, tmp_path, make_photo):
    twin = tmp_path / "later" / "twin.png"
    make_photo(twin, 3)
    collection.search(photos[3], 1)
    collection.add(twin)
    assert {hit.uri for hit in collection.search(photos[3], 2)} == {str(photos[3]), str(twin)}
    assert collection.remove(photos[3]) == 1
    assert [hit.uri for hit in collection.search(photos[3], 1)] == [str(twin)]
    assert collection.remove(photos[0].parent) == 10
    assert not any(hit.uri.startswith(str(photos[0].parent)) for hit in collection.search(twin, 100))


def test_bad_queries_say_what_is_wrong(collection, tmp_path, photos):
    (tmp_path / "note.txt").write_text("hello")
    with pytest.raises(QueryError, match=r"note.txt: not a photo"):
        collection.search(tmp_path / "note.txt")
    with pytest.raises(QueryError, match=r"no\.jpg"):
        collection.search(tmp_path / "no.jpg")
    with pytest.raises(NotFoundError, match="item 999"):
        collection.search(999)
    with pytest.raises(UsageError, match="at least 1"):
        collection.search(1, 0)
    with pytest.raises(UsageError, match="colour"):
        collection.search(1, where=["colour=red"])
    with pytest.raises(NotFoundError, match="matches"):
        collection.remove(1, tmp_path / "no.jpg")
    assert collection.item(1).id == 1  # nothing was removed


def test_an_empty_collection_says_so(tmp_path, make_photo):
    with pytest.raises(NotFoundError, match="no collection"):
        Collection(tmp_path / "none.lookalike").search(1)


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A collection beyond exact search: 6,000 random vectors, half of them with a camera."""
    monkeypatch.setattr(indexing, "EXACT_UP_TO", 1000)
    monkeypatch.setattr(local, "_SCORE_ALL_UP_TO", 50)
    embedder = FakeEmbedder()
    made = Collection(tmp_path / "large.lookalike", embedder=embedder)
    store = made._opened.store(create=True)
    space = store.ensure_space(embedder.spec.name, embedder.spec.model_id, embedder.spec.dim)
    random = np.random.default_rng(0)
    middle = random.standard_normal((80, 32), dtype=np.float32)
    rows = middle[random.integers(0, 80, 6000)] + 0.6 * random.standard_normal((6000, 32), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    batch = PhotoBatch()
    for at, row in enumerate(rows):
        facts = {"camera": "Leica M3"} if at % 100 == 0 else {"width": at % 7}
        batch.photos.append((Photo(f"/{at}.jpg", FileStamp(1, 1), b"%d" % at, None, facts), row))
    store.commit(space, batch, reader="test", is_gone=lambda uri: False)
    yield made, rows
    made.close()


def true_nearest(rows, item, k, allowed=None):
    scores = rows.astype(np.float64) @ rows[item - 1].astype(np.float64)
    scores[item - 1] = -9
    if allowed is not None:
        scores[~allowed] = -9
    return (np.argsort(-scores)[:k] + 1).tolist()


def share_found(collection, rows, k=10, allowed=None, where=()):
    shares = []
    for item in range(1, 4000, 97):
        found = [hit.id for hit in collection.search(item, k, where=where, rerank=False)]
        truth = true_nearest(rows, item, k, allowed)
        assert len(found) == min(k, len(truth))
        shares.append(len(set(found) & set(truth)) / len(truth))
    return np.mean(shares)


def test_without_an_index_the_answers_are_exact_while_it_is_built(large):
    collection, rows = large
    first = collection.search(5, 10, rerank=False)
    assert [hit.id for hit in first] == true_nearest(rows, 5, 10)
    assert first.recall == 1.0
    collection.close()  # waits for the build
    with Collection(collection.path, embedder=FakeEmbedder()) as again:
        assert 0.99 <= again.search(5, 10).recall < 1.0001
        assert again.info().spaces[0].index == "ivf"
        assert share_found(again, rows) >= 0.98


def test_a_damaged_index_is_rebuilt_and_answers_are_right_meanwhile(large):
    collection, rows = large
    collection.refresh_index()
    collection.close()
    (path,) = (collection.path / "index").iterdir()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    with Collection(collection.path, embedder=FakeEmbedder()) as again:
        assert [hit.id for hit in again.search(8, 10, rerank=False)] == true_nearest(rows, 8, 10)
    with Collection(collection.path, embedder=FakeEmbedder()) as again:
        assert not again.is_building
        assert share_found(again, rows) >= 0.98
        assert not again.is_building
        assert again.verify().sound


def test_filters_inside_the_index_return_k_and_the_right_ones(large):
    collection, rows = large
    collection.refresh_index()
    leica = np.arange(6000) % 100 == 0
    assert share_found(collection, rows, 10, leica, ["camera=leica*"]) >= 0.97
    third = (np.arange(6000) % 7 == 3) & ~leica
    assert share_found(collection, rows, 10, third, ["width=3"]) >= 0.97
    # Each hit was allowed, and asking for all allowed items returns every one of them.
    every = collection.search(1, 1000, where=["camera=leica*"])
    assert sorted(hit.id for hit in every) == [at + 1 for at in range(6000) if at % 100 == 0 and at != 0]


def test_results_are_plain_json(collection, photos):
    from lookalike.faces.contract import result_json

    shown = json.loads(json.dumps(result_json(collection.search(photos[0], 2))))
    assert list(shown) == ["query", "space", "recall", "hits", "reranked"]
    assert [list(hit) for hit in shown["hits"]] == [["id", "uri", "content", "score", "metadata"]] * 2
