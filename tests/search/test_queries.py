"""Queries of several examples, parts of photos, bytes and words; near copies and paging."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lookalike import Collection
from lookalike.embedders.fake import FakeEmbedder, FakeWordsEmbedder
from lookalike.embedders.vectors import unit_length
from lookalike.errors import NotFoundError, QueryError, UsageError
from lookalike.records import Box, SearchOptions, Words
from lookalike.search.queries import Example

LEFT, RIGHT = Box(0, 0, 0.5, 1), Box(0.5, 0, 0.5, 1)


@pytest.fixture
def photos(tmp_path, make_photo):
    for seed in range(12):
        make_photo(tmp_path / "photos" / f"{seed:02}.png", seed)
    return tmp_path / "photos"


@pytest.fixture
def collection(tmp_path, photos):
    with Collection(tmp_path / "c.lookalike", embedder=FakeWordsEmbedder()) as collection:
        collection.add(photos)
        yield collection


def rows(collection):
    store = collection._opened.store()
    vectors = store.vectors(store.default_space())
    return vectors.fetch(vectors.ids().tolist()).rows


def names(result):
    return [hit.uri.rsplit("/", 1)[1] for hit in result]


def collage(path, *parts):
    with Image.open(parts[0]) as first:
        width, height = first.size
    sheet = Image.new("RGB", (width * len(parts), height))
    for at, part in enumerate(parts):
        with Image.open(part) as picture:
            sheet.paste(picture, (at * width, 0))
    sheet.save(path)
    return path


def test_bytes_answer_as_their_file_does(collection, photos):
    path = photos / "03.png"
    by_path, by_bytes = collection.search(path, 12), collection.search(path.read_bytes(), 12)
    assert by_bytes.hits == by_path.hits
    assert by_bytes.hits[0].uri == str(path) and by_bytes.hits[0].score == 1
    assert by_bytes.key == by_path.key == f"photo:{by_path.hits[0].content_hash.hex()[:32]}"
    assert (by_path.query, by_bytes.query) == (str(path), by_bytes.key)


def test_bytes_that_are_no_photo_are_refused(collection):
    with pytest.raises(QueryError, match="cannot search by the photo: not a photo in a format that is read"):
        collection.search(b"<svg onload=alert(1)>")


def test_bytes_of_too_many_pixels_are_refused(collection, tmp_path):
    Image.new("L", (400, 300)).save(tmp_path / "wide.png")
    query = (tmp_path / "wide.png").read_bytes()
    assert collection.answer([query], SearchOptions(1), max_pixels=120_000)[0].hits
    with pytest.raises(QueryError, match="400 × 300 pixels: over the limit of 0 megapixels"):
        collection.answer([query], SearchOptions(1), max_pixels=119_999)


@pytest.mark.parametrize(("box", "first"), [(LEFT, "04.png"), (RIGHT, "07.png")])
def test_a_box_is_read_as_a_photo_of_its_own(collection, photos, tmp_path, box, first):
    both = collage(tmp_path / "both.png", photos / "04.png", photos / "07.png")
    hit = collection.search(Example(both, box=box), 1).hits[0]
    assert (hit.uri, hit.score) == (str(photos / first), 1)


def test_a_box_counts_in_the_upright_photo(collection, photos, tmp_path):
    both = collage(tmp_path / "both.png", photos / "04.png", photos / "07.png")
    with Image.open(both) as picture:
        exif = picture.getexif()
        exif[0x0112] = 6  # turn by 90° clockwise to see it
        picture.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    hit = collection.search(Example(tmp_path / "turned.png", box=RIGHT), 1).hits[0]
    assert (hit.uri, hit.score) == (str(photos / "07.png"), 1)


def test_a_box_of_an_item_is_read_from_its_file(collection, photos, tmp_path):
    both = collage(photos / "both.png", photos / "04.png", photos / "07.png")
    collection.add(photos)
    result = collection.search(Example(13, box=LEFT), 12)
    assert result.hits[0].uri == str(photos / "04.png") and result.key == "item:13@0,0,0.5,1"
    assert 13 not in [hit.id for hit in result]
    collage(both, photos / "01.png", photos / "02.png")
    with pytest.raises(QueryError, match="part of item 13: its file has changed since it was added"):
        collection.search(Example(13, box=LEFT))


@pytest.mark.parametrize(
    "box",
    [
        Box(-0.1, 0, 1, 1),
        Box(0, 0, 1.1, 1),
        Box(0, 0, 0, 1),
        Box(0.5, 0.5, 0.6, 0.1),
        Box(float("nan"), 0, 1, 1),
    ],
)
def test_a_box_outside_the_photo_is_refused(collection, photos, box):
    with pytest.raises(UsageError, match="a box is left, top, width and height"):
        collection.search(Example(photos / "04.png", box=box))


def test_several_examples_answer_as_their_weighted_sum_does(collection, photos):
    own = rows(collection)
    weights = {1: 1.0, 2: 0.5, 3: -0.75}
    wanted = unit_length(sum(weight * own[item - 1] for item, weight in weights.items())[None])[0]
    scores = {item: float(own[item - 1] @ wanted) for item in range(1, 13) if item not in weights}
    result = collection.search([Example(item, weight) for item, weight in weights.items()], 12)
    assert [hit.id for hit in result] == sorted(scores, key=scores.get, reverse=True)
    np.testing.assert_allclose(
        [hit.score for hit in result], sorted(scores.values(), reverse=True), atol=2e-6
    )
    assert result.key == "item:1 item:2*0.5 item:3*-0.75"
    mixed = collection.search([Example(3, -0.75), Example(photos / "00.png"), Example(2, 0.5)], 12)
    assert [hit.id for hit in mixed if hit.id != 1] == [hit.id for hit in result]


def test_the_order_of_examples_does_not_matter_to_their_name(collection):
    one, other = [Example(1), Example(2, -1)], [Example(2, -1), Example(1)]
    assert collection.search(one).key == collection.search(other).key


def test_a_negative_example_pushes_away(collection):
    plain, pushed = collection.search(1, 11), collection.search([Example(1), Example(5, -1)], 11)
    place = [hit.id for hit in plain].index(5)
    assert place < 11 and 5 not in [hit.id for hit in pushed]
    own = rows(collection)
    least_like_5 = min((each for each in range(2, 13) if each != 5), key=lambda item: own[item - 1] @ own[4])
    places = [[hit.id for hit in result].index(least_like_5) for result in (plain, pushed)]
    assert places[1] <= places[0]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ([], "1 to 32 examples, got 0"),
        ([Example(1)] * 33, "1 to 32 examples, got 33"),
        ([Example(1, 0)], "a weight is a number"),
        ([Example(1, float("nan"))], "a weight is a number"),
        ([Example(1), Example(1, -1)], "cancel each other out"),
        (Words("  "), "words to search by"),
        (Example(Words("red"), box=LEFT), "words and vectors have none"),
    ],
)
def test_examples_that_make_no_sense_are_refused(collection, query, said):
    with pytest.raises(UsageError, match=said):
        collection.search(query)


def test_words_search_a_space_that_knows_them(collection, photos):
    Image.new("RGB", (64, 64), (250, 10, 10)).save(photos / "red.png")
    Image.new("RGB", (64, 64), (10, 10, 250)).save(photos / "blue.png")
    collection.add(photos)
    assert collection.info().spaces[0].takes_words
    result = collection.search(Words("something  red"), 3)
    assert names(result)[0] == "red.png" and result.key == 'words:"something red"'
    both = collection.search([Example(Words("red")), Example(Words("blue"), -1)], 14)
    assert names(both)[0] == "red.png" and names(both)[-1] == "blue.png"


def test_words_are_refused_where_no_space_knows_them(tmp_path, photos):
    with Collection(tmp_path / "plain.lookalike", embedder=FakeEmbedder()) as collection:
        collection.add(photos)
        assert not collection.info().spaces[0].takes_words
        with pytest.raises(UsageError, match="takes words; run lookalike add"):
            collection.search(Words("red"))


def test_an_unknown_space_is_said(collection):
    with pytest.raises(NotFoundError, match="no space named 'clip'; there are fake"):
        collection.answer([1], SearchOptions(space="clip"))


def test_pages_make_up_the_whole_answer(collection):
    whole = collection.search(1, 12)
    pages = [collection.answer([1], SearchOptions(4, offset))[0] for offset in (0, 4, 8)]
    assert [hit for page in pages for hit in page] == list(whole) and len(whole) == 11
    assert [page.more for page in pages] == [True, True, False]
    assert collection.answer([1], SearchOptions(11))[0].more is False
    assert collection.answer([1], SearchOptions(10))[0].more is True
    assert list(collection.answer([1], SearchOptions(4, 40))[0]) == []


def test_pages_meet_the_conditions(collection):
    pages = [collection.answer([1], SearchOptions(2, offset), where="id<=6")[0] for offset in (0, 2, 4)]
    assert sorted(hit.id for page in pages for hit in page) == [2, 3, 4, 5, 6]
    assert [page.more for page in pages] == [True, True, False]


def test_near_copies_name_the_best_of_them(collection, photos):
    with Image.open(photos / "05.png") as picture:
        picture.save(photos / "05-poor.jpg", quality=85)
        picture.save(photos / "05.jpg", quality=95)
    collection.add(photos)
    hits = collection.answer([1], SearchOptions(20, mark_copies=True))[0].hits
    family = [hit for hit in hits if hit.uri.rsplit("/", 1)[1].startswith("05")]
    assert [hit.copy_of for hit in family] == [None, family[0].id, family[0].id]
    assert all(hit.copy_of is None for hit in hits if hit not in family)
    paged = [
        hit for at in range(14) for hit in collection.answer([1], SearchOptions(1, at, mark_copies=True))[0]
    ]
    assert paged == list(hits)
    assert all(hit.copy_of is None for hit in collection.search(1, 20))


def test_too_few_items_have_no_background(collection):
    assert collection.answer([1], SearchOptions(background=True))[0].background is None
