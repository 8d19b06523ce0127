"""Decisions about copies: one per pair of contents, durable, checked, and held wherever the photos lie."""

from __future__ import annotations

import pytest

from helpers import execute, select
from lookalike.decisions import Decision, in_order
from lookalike.embedders.fake import FakeEmbedder
from lookalike.errors import UsageError
from lookalike.store import Store
from lookalike.store.salvage import rescue

pytest_plugins = ["store_fixtures"]

AT = "2026-12-05T12:00:00+00:00"
ONE, TWO, THREE = (bytes([n]) * 32 for n in (1, 2, 3))


@pytest.fixture
def decided(photos, watched):
    """A collection of six photos, of which two pairs are decided; and one of contents that it never had."""
    watched.add(photos)
    first, second, third = (item.content_hash for item in watched.collection.items()[:3])
    watched.collection.decide(
        [
            Decision(first, second, "first is best", AT),
            Decision(second, third, "different", AT),
            Decision(ONE, TWO, "keep both", AT),
        ]
    )
    return watched


def verdicts(collection):
    return [each.verdict for each in collection.decisions()]


def test_a_pair_is_the_same_in_either_order():
    turned = in_order(Decision(TWO, ONE, "first is best", AT))
    assert turned == Decision(ONE, TWO, "second is best", AT)
    assert in_order(Decision(TWO, ONE, "second is best", AT)).verdict == "first is best"
    assert in_order(Decision(TWO, ONE, "different", AT)) == Decision(ONE, TWO, "different", AT)
    assert in_order(Decision(TWO, ONE, None, AT)) == Decision(ONE, TWO, None, AT)
    assert in_order(turned) == turned


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Decision(ONE, ONE, "different", AT), "two contents; got 0101.* twice"),
        (Decision(ONE, TWO[:31], "different", AT), "two sha256 of 32 bytes"),
        (Decision("01" * 32, TWO, "different", AT), "two sha256 of 32 bytes"),
        (Decision(ONE, TWO, "same", AT), "a verdict is one of \"different\".*got 'same'"),
        (Decision(ONE, TWO, "different", "yesterday"), "in UTC and ISO 8601; got 'yesterday'"),
        (Decision(ONE, TWO, "different", "2026-12-05T12:00:00"), "in UTC"),
        (Decision(ONE, TWO, "different", "2026-12-05T12:00:00+01:00"), "in UTC"),
        (Decision(ONE, TWO, "different", None), "in UTC"),
    ],
)
def test_what_is_no_decision_is_refused_and_nothing_kept(decided, wrong, message):
    before = decided.collection.decisions()
    with pytest.raises(UsageError, match=message):
        decided.collection.decide([Decision(ONE, THREE, "keep both", AT), wrong])
    assert decided.collection.decisions() == before


def test_decisions_outlive_their_items_and_hold_again_when_these_come_back(decided, photos):
    before = decided.collection.decisions()
    decided.collection.remove(*(item.id for item in decided.collection.items()))
    assert decided.collection.decisions() == before
    photos.rename(photos.with_name("moved"))
    decided.add(photos.with_name("moved"))
    contents = {item.content_hash for item in decided.collection.items()}
    assert decided.collection.decisions() == before
    assert {before[0].first, before[0].second} <= contents


def test_decisions_survive_another_model(decided):
    before = decided.collection.decisions()
    store = decided.collection._opened.store()
    old, spec = store.default_space(), FakeEmbedder(name="second").spec
    new = store.ensure_space(spec.name, spec.model_id, spec.dim)
    decided.collection.remove(*(item.id for item in decided.collection.items()))
    store.use_space(new)
    store.drop_space(old)
    assert decided.collection.decisions() == before


def test_decisions_are_there_when_the_process_is_not(decided):
    before = decided.collection.decisions()
    path = decided.collection.path
    assert len(before) == 3
    decided.collection.close()
    store = Store(path)
    assert list(store.decisions.all()) == before
    store.close()


def test_nothing_is_written_for_no_decision(decided):
    sql = "SELECT commits FROM clock"
    before = select(decided.collection.path, sql)
    decided.collection.decide([])
    assert select(decided.collection.path, sql) == before


@pytest.mark.parametrize("damage", ["verdict = 'different'", "first = x'00'", "at = 17", "checksum = 1"])
def test_a_damaged_decision_is_named_left_out_and_dropped(decided, damage):
    before = decided.collection.decisions()
    decided.collection.close()
    execute(decided.collection.path, f"UPDATE decisions SET {damage} WHERE id = 3")
    assert decided.collection.decisions() == before[:2]
    assert [each.what for each in decided.collection.verify().damage] == ["decision 3"]
    repaired = decided.collection.verify(repair=True)
    assert [each.what for each in repaired.repaired] == ["decision 3"] and repaired.sound
    assert decided.collection.decisions() == before[:2]


def test_a_rescued_store_keeps_its_decisions(decided):
    before = decided.collection.decisions()
    decided.collection.close()
    execute(decided.collection.path, "UPDATE decisions SET verdict = 'keep both' WHERE id = 2")
    rescue(decided.collection.path / "store.sqlite")
    assert decided.collection.decisions() == [before[0], before[2]]
    assert select(decided.collection.path, "SELECT id FROM decisions ORDER BY id") == [(1,), (3,)]
