"""The line between hits that are related to a query and those that are not."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.background import Background
from lookalike.embed.vectors import unit_length
from lookalike.store.vectors import VectorBlock


class Vectors:
    """Stands in for `SpaceVectors`: rows in memory, and a count of how often a sample was drawn."""

    def __init__(self, rows):
        self.rows, self.drawn, self.clock = rows, 0, 1

    def seq(self):
        return self.clock

    def count(self):
        return len(self.rows)

    def ids(self):
        self.drawn += 1
        return np.arange(1, len(self.rows) + 1)

    def fetch(self, item_ids):
        assert len(item_ids) <= 1000
        return VectorBlock(np.array(item_ids), self.rows[np.array(item_ids, int) - 1])


def crowd(count, dim=300, seed=0):
    """Unit-length rows around a common mean, as vectors of photos are."""
    rng = np.random.default_rng(seed)
    return unit_length(rng.standard_normal((count, dim)) + 0.7)


def kin(row, count, seed=1):
    noise = np.random.default_rng(seed).standard_normal((count, len(row))) / np.sqrt(len(row))
    return unit_length(row + 0.8 * noise)


@pytest.mark.parametrize("count", [60, 3_000])
def test_it_parts_the_related_from_the_others(count):
    others = crowd(count)
    query = crowd(1, seed=5)[0]
    related = kin(query, count // 20)
    line = Background(Vectors(np.concatenate([others, related]))).line(query)
    assert np.all(related @ query > line)
    assert np.mean(others @ query > line) <= 0.001


def test_few_items_have_no_line():
    assert Background(Vectors(crowd(49))).line(crowd(1)[0]) is None
    assert Background(Vectors(crowd(50))).line(crowd(1)[0]) is not None


def test_copies_of_one_photo_have_a_line_that_lets_them_pass():
    query = crowd(1)[0]
    line = Background(Vectors(np.repeat(query[None], 80, axis=0))).line(query)
    assert line <= 1


def test_the_sample_is_drawn_anew_when_the_collection_has_changed_much():
    vectors = Vectors(crowd(100))
    background = Background(vectors)
    query = crowd(1, seed=5)[0]
    first = background.line(query)
    vectors.rows = np.concatenate([vectors.rows, crowd(25, seed=2)])
    vectors.clock += 1
    assert background.line(query) == first and vectors.drawn == 1
    vectors.rows = np.concatenate([vectors.rows, kin(query, 200)])
    assert background.line(query) == first and vectors.drawn == 1  # the clock stands still
    vectors.clock += 1
    assert background.line(query) > first and vectors.drawn == 2
