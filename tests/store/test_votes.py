"""Votes: one per query and item, durable, checked, and still there when their item is not."""

from __future__ import annotations

import pytest

from helpers import execute, select
from lookalike.errors import NotFoundError, UsageError

pytest_plugins = ["store_fixtures"]


@pytest.fixture
def voted(photos, watched):
    watched.add(photos)
    watched.collection.vote("item:1", 2, 1)
    watched.collection.vote("item:1", 3, -1)
    watched.collection.vote("photo:ab", 2, 1)
    return watched


def told(collection, **only):
    return [(each.query, each.item_id, each.value) for each in collection.votes(**only)]


def test_votes_are_kept_in_the_order_given(voted):
    assert told(voted.collection) == [("item:1", 2, 1), ("item:1", 3, -1), ("photo:ab", 2, 1)]
    assert told(voted.collection, query="item:1") == [("item:1", 2, 1), ("item:1", 3, -1)]
    first = voted.collection.votes(limit=1)
    assert first[0].uri.endswith("1.png") and first[0].space == "fake" and first[0].at.endswith("+00:00")
    assert told(voted.collection, after=first[0].id) == [("item:1", 3, -1), ("photo:ab", 2, 1)]


def test_a_second_vote_replaces_the_first_and_zero_withdraws_it(voted):
    voted.collection.vote("item:1", 2, -1)
    voted.collection.vote("item:1", 3, 0)
    voted.collection.vote("item:1", 4, 0)  # there was none
    assert told(voted.collection) == [("photo:ab", 2, 1), ("item:1", 2, -1)]


def test_votes_outlive_their_items_but_do_not_pass_to_others(voted, photos, make_photo):
    voted.collection.remove(3)
    make_photo(photos / "1.png", 77)  # item 2 shows something else now
    voted.add(photos / "1.png")
    assert [(each.item_id, each.uri) for each in voted.collection.votes()] == [
        (2, None),
        (3, None),
        (2, None),
    ]


@pytest.mark.parametrize(("query", "value"), [("item:1", 2), ("item:1", -0.5), ("", 1), ("x" * 10_001, 1)])
def test_what_is_no_vote_is_refused(voted, query, value):
    with pytest.raises(UsageError, match="a vote is 1, -1 or 0"):
        voted.collection.vote(query, 2, value)


def test_a_vote_needs_its_item_and_space(voted):
    with pytest.raises(NotFoundError, match="item 99 is not in this collection"):
        voted.collection.vote("item:1", 99, 1)
    with pytest.raises(NotFoundError, match="no space named 'clip'"):
        voted.collection.vote("item:1", 2, 1, space="clip")
    assert len(voted.collection.votes()) == 3


@pytest.mark.parametrize("damage", ["value = -value", "query = 'item:2'", "at = 17", "content_hash = x'00'"])
def test_a_damaged_vote_is_named_and_left_out(voted, damage):
    voted.collection.close()
    execute(voted.collection.path, f"UPDATE votes SET {damage} WHERE id = 2")
    assert told(voted.collection) == [("item:1", 2, 1), ("photo:ab", 2, 1)]
    assert [each.what for each in voted.collection.verify().damage] == ["vote 2"]
    repaired = voted.collection.verify(repair=True)
    assert [each.what for each in repaired.repaired] == ["vote 2"] and repaired.sound
    assert told(voted.collection) == [("item:1", 2, 1), ("photo:ab", 2, 1)]


def test_a_damaged_vote_makes_room_for_the_next_and_costs_no_index(voted):
    voted.collection.close()
    execute(voted.collection.path, "UPDATE votes SET value = -value WHERE id = 1")
    assert [each.item_id for each in voted.collection.votes(limit=2)] == [3, 2]
    index = voted.collection.path / "index" / "fake.ivf"
    index.parent.mkdir(exist_ok=True)
    damaged = [each.what for each in voted.collection.verify().damage]
    assert damaged == ["vote 1"]


def test_a_vote_on_a_removed_item_can_be_withdrawn(voted):
    voted.collection.remove(3)
    voted.collection.vote("item:1", 3, 0)
    assert told(voted.collection) == [("item:1", 2, 1), ("photo:ab", 2, 1)]


def test_a_rescued_store_keeps_its_votes(voted):
    before = voted.collection.votes()
    voted.collection.close()
    from lookalike.store.salvage import rescue

    rescue(voted.collection.path / "store.sqlite")
    assert voted.collection.votes() == before
    assert select(voted.collection.path, "SELECT count(*) FROM votes") == [(3,)]
