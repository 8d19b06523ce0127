"""What every engine has to do: the tests of one make a subclass whose fixtures fill it with what is below."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
import pytest

from lookalike.decisions import Decision
from lookalike.engine.protocol import Engine
from lookalike.errors import NotFoundError, UsageError
from lookalike.records import Credit, FileStamp, Passage, Space
from lookalike.store.filters import parse_filter
from lookalike.store.text_commit import TextBatch

DIM, COUNT, FLOOR = 32, 1_500, 0.98
TEXTS = ("the quick brown fox", "a lazy dog sleeps", "the quick red dog", "nothing in common")


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def clusters(n, seed):
    """Unit-length rows around sixty centres, as photos of one kind lie together."""
    random = np.random.default_rng(seed)
    middle = np.random.default_rng(99).standard_normal((60, DIM))
    return unit(middle[random.integers(0, 60, n)] + 0.8 * random.standard_normal((n, DIM)))


def batch_of_texts():
    """`TEXTS` as they are committed, and their rows."""
    hashes = [hashlib.sha256(text.encode()).digest() for text in TEXTS]
    passages = [
        Passage(f"/t.csv#{at}", text, content, STAMP)
        for at, (text, content) in enumerate(zip(TEXTS, hashes, strict=True), 1)
    ]
    rows = unit(np.random.default_rng(3).standard_normal((len(TEXTS), DIM)))
    return TextBatch(list(zip(passages, rows, strict=True))), rows


def facts_of(at):
    """Width tells the place of an item, one in three was taken by a Canon, a year is a hundred items."""
    facts = {"width": at + 1, "height": 10, "taken": f"{2000 + at // 100}-06-01T00:00:00"}
    return {**facts, "camera": "Canon EOS"} if at % 3 == 0 else facts


def uri_of(at):
    return f"/photos/{at % 10}/{at}.jpg"


STAMP, AT = FileStamp(1, 1), "2026-01-01T00:00:00+00:00"


@dataclass
class Filled:
    """An engine and what was put into it: the id and the row of each item, in the order of the facts."""

    engine: Engine
    space: Space
    ids: np.ndarray
    rows: np.ndarray = field(default_factory=lambda: clusters(COUNT, 1))

    def sorted_ids(self, places):
        """The ids of the items at some places, ascending: the order of places need not be that of ids."""
        return sorted(self.ids[np.array(places, int)].tolist())

    def place_of(self, item_id):
        return int(np.flatnonzero(self.ids == item_id)[0])

    def nearest(self, row, k, wanted=None):
        """The ids of the k nearest of the wanted places by plain arithmetic."""
        places = np.arange(len(self.ids)) if wanted is None else np.array(wanted, int)
        scores = self.rows[places].astype(np.float64) @ row.astype(np.float64)
        return set(self.ids[places[np.argsort(-scores)[:k]]].tolist())


class EngineContract:
    """The tests. `photos` is a `Filled` with COUNT items, `texts` one with TEXTS."""

    @pytest.fixture
    def queries(self):
        return clusters(40, 2)

    def test_spaces_are_told(self, photos):
        assert [space.name for space in photos.engine.spaces()] == [photos.space.name]
        assert photos.engine.spaces()[0].dim == DIM

    def test_items_are_read_as_they_were_put(self, photos):
        found = photos.engine.items.get(photos.ids[:20].tolist())
        assert list(found) == photos.sorted_ids(range(20))
        for item_id, item in found.items():
            at = photos.place_of(item_id)
            assert (item.uri, dict(item.metadata), item.text) == (uri_of(at), facts_of(at), None)
        assert photos.engine.items.get([2**40]) == {}
        assert photos.engine.items.damaged(photos.ids[:20].tolist()) == ()
        assert photos.engine.items.by_uri(uri_of(7)).id == photos.ids[7]
        assert photos.engine.items.by_uri("/photos/none.jpg") is None

    def test_items_are_counted_and_paged(self, photos):
        items = photos.engine.items
        assert (items.count(), items.is_empty(), items.count_skipped(), list(items.skipped())) == (
            COUNT,
            False,
            0,
            [],
        )
        assert [item.id for page in items.pages() for item in page] == sorted(photos.ids.tolist())
        ids = photos.sorted_ids(range(COUNT))
        assert items.matching((), after=ids[9], limit=5).tolist() == ids[10:15]

    @pytest.mark.parametrize(
        ("conditions", "keeps"),
        [
            (["camera=canon*"], lambda at: at % 3 == 0),
            (["camera!=canon*"], lambda at: False),  # an item without the field fails any condition on it
            (["width>1400"], lambda at: at + 1 > 1400),
            (["taken=2003"], lambda at: at // 100 == 3),
            (["folder=/photos/4"], lambda at: at % 10 == 4),
            (["folder=/photos/4", "width<=50"], lambda at: at % 10 == 4 and at < 50),
            (["uri=*7.jpg"], lambda at: at % 10 == 7),
            (["width<0"], lambda at: False),
        ],
    )
    def test_conditions_select_the_same_everywhere(self, photos, queries, conditions, keeps):
        filters = [parse_filter(each) for each in conditions]
        places = [at for at in range(COUNT) if keeps(at)]
        ids = photos.sorted_ids(places)
        engine = photos.engine
        assert engine.items.matching(filters).tolist() == ids
        among = engine.select(filters)
        assert len(among) == len(ids)
        assert among.count_among([*ids[:3], 2**40]) == len(ids[:3])
        assert set(engine.items.random(filters, 5)) <= set(ids)
        assert len(engine.items.random(filters, 5)) == min(5, len(ids))
        found = engine.nearest(photos.space, queries, 10, among)
        assert found.total == len(ids)
        for row, candidates in zip(queries, found.ids, strict=True):
            assert set(candidates.tolist()) <= set(ids)
            assert len(photos.nearest(row, 10, places) & set(candidates.tolist())) >= min(10, len(ids)) - 1

    def test_a_condition_on_what_there_is_not_is_refused(self, photos):
        with pytest.raises(UsageError):
            photos.engine.select([parse_filter("colour=red")])

    def test_no_conditions_select_all(self, photos):
        assert photos.engine.select(()) is None

    def test_the_nearest_are_among_the_candidates(self, photos, queries):
        found = photos.engine.nearest(photos.space, queries, 10)
        assert (found.total, found.damaged, len(found.ids)) == (COUNT, frozenset(), len(queries))
        pairs = zip(queries, found.ids, strict=True)
        share = np.mean([len(photos.nearest(row, 10) & set(ids.tolist())) / 10 for row, ids in pairs])
        assert share >= FLOOR
        assert FLOOR <= found.recall <= 1.0
        exact = photos.engine.nearest(photos.space, queries, 10, exact=True)
        assert exact.recall == 1.0
        for row, ids in zip(queries, exact.ids, strict=True):
            assert photos.nearest(row, 10) <= set(ids.tolist())

    def test_no_query_is_answered_by_nothing(self, photos):
        assert photos.engine.nearest(photos.space, np.empty((0, DIM), np.float32), 10).ids == []

    def test_vectors_are_read_as_they_were_put(self, photos):
        vectors = photos.engine.vectors(photos.space)
        block = vectors.fetch([*photos.ids[5:9].tolist(), 2**40])
        assert (block.ids.tolist(), block.damaged) == (photos.sorted_ids(range(5, 9)), ())
        assert np.array_equal(block.rows, photos.rows[[photos.place_of(each) for each in block.ids]])
        assert vectors.count() == COUNT
        assert np.array_equal(vectors.ids(), np.sort(photos.ids))
        in_order = photos.rows[np.argsort(photos.ids)]
        assert np.array_equal(np.concatenate([each.rows for each in vectors.blocks(100)]), in_order)
        every_seventh = np.sort(photos.ids)[::7]
        some = np.concatenate([each.ids for each in vectors.blocks_of(every_seventh)])
        assert np.array_equal(some, every_seventh)

    def test_vectors_are_drawn_by_chance(self, photos):
        vectors = photos.engine.vectors(photos.space)
        drawn = vectors.draw(100, np.random.default_rng(1))
        assert len(set(drawn.tolist())) == 100 and set(drawn.tolist()) <= set(photos.ids.tolist())
        assert np.array_equal(drawn, np.sort(drawn))
        assert not np.array_equal(drawn, vectors.draw(100, np.random.default_rng(2)))
        assert len(vectors.draw(10 * COUNT, np.random.default_rng(1))) == COUNT

    def test_what_is_removed_is_gone_everywhere(self, photos, queries):
        engine, clock = photos.engine, photos.engine.vectors(photos.space).seq()
        engine.nearest(photos.space, queries, 10)  # whatever is kept in memory is there now
        gone = set(photos.ids[:300].tolist())
        assert engine.items.remove([*sorted(gone), 2**40]) == 300
        assert engine.vectors(photos.space).seq() > clock
        assert (engine.items.count(), engine.vectors(photos.space).count()) == (COUNT - 300, COUNT - 300)
        assert engine.items.get(sorted(gone)) == {}
        found = engine.nearest(photos.space, queries, 10)
        assert found.total == COUNT - 300
        left = range(300, COUNT)
        for row, ids in zip(queries, found.ids, strict=True):
            assert not gone & set(ids.tolist())
            assert len(photos.nearest(row, 10, left) & set(ids.tolist())) >= 9

    def test_the_clock_stands_still_while_nothing_changes(self, photos):
        vectors = photos.engine.vectors(photos.space)
        clock = vectors.seq()
        photos.engine.votes.put("item:1", int(photos.ids[0]), 1, photos.space.name, AT)
        assert vectors.seq() == clock

    def test_random_items_differ_and_come_from_everywhere(self, photos):
        drawn = photos.engine.items.random((), 200)
        assert len(set(drawn)) == 200 and set(drawn) <= set(photos.ids.tolist())
        assert min(drawn) < np.median(photos.ids) < max(drawn)
        assert len(photos.engine.items.random((), 10 * COUNT)) == COUNT

    def test_facets_count_what_there_is(self, photos):
        facets = photos.engine.items.facets()
        assert facets.cameras == (("Canon EOS", COUNT // 3),)
        assert dict(facets.folders) == {f"/photos/{digit}": COUNT // 10 for digit in range(10)}
        assert facets.taken == ("2000-06-01T00:00:00", "2014-06-01T00:00:00")

    def test_votes_are_kept_replaced_and_withdrawn(self, photos):
        votes, (one, two) = photos.engine.votes, photos.ids[:2].tolist()
        for item, value in ((one, 1), (two, -1), (one, -1)):
            votes.put("item:9", item, value, photos.space.name, AT)
        assert [(vote.item_id, vote.value, vote.uri) for vote in votes.page()] == [
            (two, -1, uri_of(1)),
            (one, -1, uri_of(0)),
        ]
        first = votes.page(limit=1)
        assert [vote.item_id for vote in votes.page(after=first[0].id)] == [one]
        assert votes.page(query="item:8") == []
        votes.put("item:9", two, 0, photos.space.name, AT)
        assert [vote.item_id for vote in votes.page(query="item:9")] == [one]
        with pytest.raises(NotFoundError):
            votes.put("item:9", 2**40, 1, photos.space.name, AT)
        photos.engine.items.remove([one])
        assert [vote.uri for vote in votes.page()] == [None]

    def test_credits_count_once(self, photos):
        click = Credit("round", "item:9", "a", "b", int(photos.ids[0]), "click", 1, "2026-01-01")
        for _ in range(2):
            photos.engine.credits.put(click)
        assert list(photos.engine.credits.all()) == [click]

    def test_decisions_hold_for_pairs_in_either_order(self, photos):
        decisions, (one, two, three) = photos.engine.decisions, (bytes([n]) * 32 for n in (1, 2, 3))
        decisions.put([Decision(two, one, "first is best", AT), Decision(one, three, "keep both", AT)])
        assert list(decisions.all()) == [
            Decision(one, two, "second is best", AT),
            Decision(one, three, "keep both", AT),
        ]
        decisions.put([Decision(one, two, "different", AT)])
        assert [each.verdict for each in decisions.all()] == ["keep both", "different"]
        decisions.put([Decision(three, one, None, AT), Decision(two, three, None, AT)])
        assert list(decisions.all()) == [Decision(one, two, "different", AT)]

    def test_what_can_be_no_decision_keeps_none(self, photos):
        decisions, (one, two) = photos.engine.decisions, (bytes([n]) * 32 for n in (1, 2))
        for wrong in (Decision(one, one, "different", AT), Decision(one, b"short", "different", AT)):
            with pytest.raises(UsageError):
                decisions.put([Decision(one, two, "keep both", AT), wrong])
        assert list(decisions.all()) == []

    def test_the_clock_of_decisions_stands_still_while_none_changes(self, photos):
        decisions, (one, two, three) = photos.engine.decisions, (bytes([n]) * 32 for n in (1, 2, 3))
        seen = [decisions.seq()]
        assert decisions.seq() == seen[0]
        for changed in (
            [Decision(one, two, "different", AT)],
            [Decision(one, two, "keep both", AT)],
            [Decision(two, three, "keep both", AT), Decision(one, two, None, AT)],
            [Decision(two, three, None, AT)],
        ):
            decisions.put(changed)
            seen.append(decisions.seq())
            assert decisions.seq() == seen[-1]
        assert len(set(seen)) == 5

    def test_exact_words_find_texts(self, texts):
        engine, ids = texts.engine, texts.ids.tolist()
        assert engine.having_words("quick", 10) == texts.sorted_ids([0, 2])  # as good as each other
        assert engine.having_words("quick dog", 10)[0] == ids[2]
        assert set(engine.having_words("quick dog", 10)) == {ids[0], ids[1], ids[2]}
        assert engine.having_words("zebra", 10) == []
        assert engine.having_words('"dog" OR', 10) == texts.sorted_ids([1, 2])
        only = engine.select([parse_filter(f"id={ids[1]}")])
        assert engine.having_words("quick dog", 10, only) == [ids[1]]

    def test_texts_come_with_their_items(self, texts):
        found = texts.engine.items.get(texts.ids.tolist())
        assert [found[each].text for each in texts.ids.tolist()] == list(TEXTS)
