"""What items can be filtered by, browsing page by page, and items by chance."""

from __future__ import annotations

from collections import Counter

import pytest

from helpers import execute
from lookalike.records import SearchOptions
from lookalike.store.facets import Facets

pytest_plugins = ["store_fixtures"]


@pytest.fixture
def collection(photos, watched, make_photo):
    for seed in range(6, 9):
        make_photo(photos / "deep" / f"{seed}.png", seed)
    watched.add(photos)
    facts = '{"width":9,"height":9,"format":"PNG","camera":"%s","taken":"%s"}'
    watched.collection.close()
    cameras = [
        (1, "Canon", "2004-05-06T07:08:09"),
        (2, "Canon", "2019-01-01T00:00:00"),
        (3, "<b>", "2011-01-01"),
    ]
    execute(
        watched.collection.path,
        *(
            f"UPDATE items SET metadata = '{facts % (camera, taken)}' WHERE id = {n}"
            for n, camera, taken in cameras
        ),
        "UPDATE items SET metadata = '{' WHERE id = 4",
    )
    return watched.collection


def test_facets_count_cameras_folders_and_time(collection, photos):
    assert collection.facets() == Facets(
        cameras=(("Canon", 2), ("<b>", 1)),
        folders=((str(photos), 6), (str(photos / "deep"), 3)),
        taken=("2004-05-06T07:08:09", "2019-01-01T00:00:00"),
    )


def test_an_empty_collection_has_none(watched, photos):
    watched.add(photos)
    watched.collection.remove(*range(1, 7))
    assert watched.collection.facets() == Facets((), (), None)
    assert watched.collection.random_items(3) == []


def test_pages_of_items_make_up_the_collection(watched, photos):
    watched.add(photos)
    pages = [watched.collection.items(limit=4, after=after) for after in (0, 4, 6)]
    assert [[item.id for item in page] for page in pages] == [[1, 2, 3, 4], [5, 6], []]
    assert [item.id for item in watched.collection.items(where="id!=2", limit=2, after=1)] == [3, 4]


def test_a_damaged_item_makes_room_for_the_next(watched, photos):
    watched.add(photos)
    watched.collection.close()
    execute(watched.collection.path, "UPDATE items SET size = size + 1 WHERE id = 2")
    assert [item.id for item in watched.collection.items(limit=3)] == [1, 3, 4]
    assert [item.id for item in watched.collection.items(limit=9)] == [1, 3, 4, 5, 6]
    assert watched.collection.answer([1], SearchOptions(2))[0].more


def test_random_items_are_all_equally_likely(watched, photos):
    watched.add(photos)
    watched.collection.remove(2)
    drawn = Counter(watched.collection.random_items()[0].id for _ in range(1000))
    assert (
        set(drawn) == {1, 3, 4, 5, 6} and min(drawn.values()) > 140
    )  # 200 each; 140 is 4.7 deviations below
    assert sorted(item.id for item in watched.collection.random_items(99)) == [1, 3, 4, 5, 6]
    assert len(watched.collection.random_items(3)) == 3


def test_random_items_meet_the_conditions(watched, photos):
    watched.add(photos)
    drawn = {watched.collection.random_items(where="id>4")[0].id for _ in range(60)}
    assert drawn == {5, 6}
