"""Products in small parts are the products."""

import numpy as np
import pytest

from lookalike.search.products import products_of, scores_of


@pytest.mark.parametrize("dim", [3, 384, 504, 1_280, 300_000])
@pytest.mark.parametrize("count", [0, 1, 21, 22, 23, 200])
def test_all_rows_meet_each_other(count, dim):
    if dim == 300_000 and count > 23:
        count = 30
    rows = np.random.default_rng(count).normal(size=(count, dim)).astype(np.float32)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    found = products_of(rows)
    assert (found.shape, found.dtype) == ((count, count), np.float32)
    assert found == pytest.approx(rows @ rows.T, abs=1e-5)
    assert (found == found.T).all()


def test_scores_stay_within_their_range():
    rows = np.full((3, 7), 7**-0.5, np.float32) * np.array([[1], [-1], [1.001]], np.float32)
    assert scores_of(rows, rows[2]).tolist() == [pytest.approx(1, abs=1e-6), -1, 1]
