"""The benchmark of re-ranking, tiny: it runs, and tells both orders of the same queries."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from helpers import few_labelled

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
import report
import reranking

pytestmark = pytest.mark.slow


@pytest.fixture
def some_data(shared_data, tmp_path, monkeypatch):
    """A few kinds of each set, a few photos of each kind."""
    few_labelled(shared_data, tmp_path, reranking.PHOTOS)
    (tmp_path / "banking77").mkdir()
    lines = (shared_data / "banking77" / "train.csv").read_text().splitlines(keepends=True)
    (tmp_path / "banking77" / "train.csv").write_text("".join([lines[0], *lines[1::30]]))
    monkeypatch.setattr(reranking, "DATA", tmp_path)


def test_it_measures_both_orders(some_data):
    figures = reranking.measure(8, edited=3)
    differ = 0
    for name in report._RERANKED:
        plain, reranked = figures[name]["plain"], figures[name]["reranked"]
        assert 0 < plain["first"] <= 1
        assert plain["first"] == reranked["first"], "the nearest stays first"
        if name != "edited":
            assert 0 < plain["map"] <= 1 and 0 < reranked["map"] <= 1
            differ += plain["map"] != reranked["map"]
    assert differ > 2
    assert len(figures["edited"]["edits"]) == len(reranking.EDITS)
    assert "| Caltech-101, 50 kinds |" in report._reranking(figures)
