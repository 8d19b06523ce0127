"""A photo any way up finds its original: turned, mirrored or cropped."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageOps

from lookalike import Collection
from lookalike.errors import QueryError, UsageError
from lookalike.records import Box, SearchOptions, View, Words
from lookalike.search.queries import Example
from lookalike.search.ways import _each, _turn, _within

COUNT = 24
TURNS = {
    "turned 90°": lambda picture: picture.transpose(Image.Transpose.ROTATE_270),
    "turned 180°": lambda picture: picture.transpose(Image.Transpose.ROTATE_180),
    "turned 270°": lambda picture: picture.transpose(Image.Transpose.ROTATE_90),
    "mirrored": ImageOps.mirror,
    "upside down": ImageOps.flip,
    "about its diagonal": lambda picture: picture.transpose(Image.Transpose.TRANSPOSE),
}


def cropped(picture, left, top, share=0.5):
    width, height = picture.size
    corner = int(left * width), int(top * height)
    return picture.crop((*corner, int((left + share) * width), int((top + share) * height)))


def as_bytes(picture):
    kept = BytesIO()
    picture.convert("RGB").save(kept, "JPEG", quality=88)
    return kept.getvalue()


@pytest.fixture(scope="module")
def collection(shared_data, tmp_path_factory):
    with Collection(tmp_path_factory.mktemp("ways") / "c.lookalike") as made:
        made.add(shared_data / "coco256", *sorted((shared_data / "caltech50").iterdir())[:12])
        yield made


@pytest.fixture(scope="module")
def originals(collection):
    """Some photos of streets and rooms, with their pictures."""
    items = [item for item in collection.items(limit=1_000) if "coco256" in item.uri][:: 256 // COUNT]
    return [(item, Image.open(item.uri).convert("RGB")) for item in items[:COUNT]]


def found_first(collection, originals, edit, **how):
    """Which share of the originals is the first hit of their edited copies."""
    queries = [as_bytes(edit(picture)) for _, picture in originals]
    results = collection.search_many(queries, 3, **how)
    return np.mean([one[0].id == item.id for (item, _), one in zip(originals, results, strict=True)])


@pytest.mark.parametrize("name", TURNS)
def test_turned_and_mirrored_ones_find_their_original(collection, originals, name):
    assert found_first(collection, originals, TURNS[name], any_way_up=True) == 1


@pytest.mark.parametrize(("left", "top"), [(0.25, 0.25), (0.5, 0.3)])
def test_most_that_were_cropped_to_a_half_of_each_side_do(collection, originals, left, top):
    found = found_first(collection, originals, lambda picture: cropped(picture, left, top), any_way_up=True)
    assert found >= 0.8


def test_the_whole_photo_finds_what_was_cropped_from_it(originals, tmp_path):
    corners = [(0.0, 0.0), (0.4, 0.0), (0.0, 0.4), (0.4, 0.4)]
    for at, (_, picture) in enumerate(originals):
        cropped(picture, *corners[at % 4], 0.6).save(tmp_path / f"{at}.png")
    with Collection(tmp_path / "c.lookalike") as other:
        other.add(tmp_path)
        queries = [as_bytes(picture) for _, picture in originals]
        results = other.search_many(queries, 1, any_way_up=True)
        assert [one[0].uri.rsplit("/", 1)[1] for one in results] == [f"{at}.png" for at in range(COUNT)]
        assert min(one[0].score for one in results) > 0.9
        plain = other.search_many(queries, 1)
        assert max(one[0].score for one in plain) < 0.95


def test_scores_are_the_best_of_all_ways_and_pages_go_on(collection, originals):
    query = as_bytes(TURNS["turned 90°"](originals[0][1]))
    whole = collection.search(query, 40, any_way_up=True)
    plain = {hit.id: hit.score for hit in collection.search(query, 1_000, rerank=False)}
    scores = [hit.score for hit in whole]
    assert scores == sorted(scores, reverse=True) and len({hit.id for hit in whole}) == 40
    assert all(hit.score >= plain.get(hit.id, -1) - 1e-6 for hit in whole)
    assert scores[0] > plain[whole[0].id] + 0.02
    assert not whole.reranked and whole.more
    pages = [
        collection.answer([query], SearchOptions(10, at, any_way_up=True, mark_copies=True))[0]
        for at in range(0, 40, 10)
    ]
    assert [hit.id for page in pages for hit in page] == [hit.id for hit in whole]
    assert whole.key == collection.search(query, 1).key  # votes are on the photo


def test_an_item_is_left_out_of_its_own_hits_and_conditions_hold(collection, originals, tmp_path):
    item, picture = originals[3]
    ImageOps.mirror(picture).save(tmp_path / "mirrored.png")
    added = collection.add(tmp_path)
    assert added.added == 1
    try:
        result = collection.search(item.id, 5, any_way_up=True)
        assert result[0].uri.endswith("mirrored.png") and item.id not in {hit.id for hit in result}
        low = collection.search(as_bytes(picture), 5, any_way_up=True, where="id<=20")
        assert {hit.id for hit in low} <= set(range(1, 21)) and len(low) == 5
    finally:
        collection.remove(tmp_path)


def test_a_part_is_asked_any_way_up_too(collection, originals):
    item, picture = originals[5]
    width, height = picture.size
    sheet = Image.new("RGB", (2 * height, 2 * width), "white")
    sheet.paste(TURNS["turned 90°"](picture), (0, 0))
    query = Example(as_bytes(sheet), box=Box(0, 0, 0.5, 0.5))
    assert collection.search([query], 1, any_way_up=True)[0].id == item.id


@pytest.mark.parametrize(
    "query",
    [
        Words("cat"),
        [Example(1), Example(2)],
        [Example(1, -1.0)],
        np.ones(504, np.float32),
    ],
)
def test_what_is_no_single_photo_is_refused(collection, query):
    with pytest.raises(UsageError, match="one photo or one item"):
        collection.search(query, any_way_up=True)


@pytest.mark.parametrize("more", [{"rerank": True}, {"hybrid": True}])
def test_another_order_beside_it_is_refused(collection, more):
    with pytest.raises(UsageError, match="leave out hybrid and rerank"):
        collection.search(1, any_way_up=True, **more)


def test_a_photo_that_cannot_be_read_is_refused(collection, tmp_path):
    with pytest.raises(QueryError, match="cannot search by"):
        collection.search(b"no photo", any_way_up=True)
    with pytest.raises(QueryError, match="cannot search by"):
        collection.search(tmp_path / "none.jpg", any_way_up=True)


def test_every_square_of_a_view_is_turned_for_itself():
    view = View(4, below=(View(2),))
    pixels = np.zeros((6, 4, 3), np.uint8)
    pixels[:4] = np.arange(16).reshape(4, 4, 1)
    pixels[4:, :2] = np.arange(4).reshape(2, 2, 1)
    made = _each(pixels, view, _turn(1, is_mirrored=True))
    assert np.array_equal(made[:4, :, 0], np.rot90(pixels[:4, ::-1, 0]))
    assert np.array_equal(made[4:, :2, 0], np.rot90(pixels[4:, 1::-1, 0]))
    assert not made[4:, 2:].any()


def test_a_part_of_a_part_lies_within_it():
    assert _within(Box(0.5, 0.2, 0.4, 0.5), Box(0.4, 0, 0.6, 0.6)) == Box(0.66, 0.2, 0.24, 0.3)
