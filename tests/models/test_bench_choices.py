"""The benchmark of the models in the box, tiny: it runs, and its figures are what they say."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from helpers import few_labelled

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
import choices
import common
import report
from lookalike.models import CHOICES

pytestmark = pytest.mark.slow


@pytest.fixture
def some_data(shared_data, tmp_path, monkeypatch):
    """A few kinds of each set, a few photos of each kind."""
    few_labelled(shared_data, tmp_path, choices.SETS)
    for module in (choices, common):
        monkeypatch.setattr(module, "DATA", tmp_path)
    monkeypatch.setattr(common, "WORK", tmp_path / "work")


def test_it_measures_every_model(some_data):
    figures = choices.measure(10, edited=3, rounds=1)
    assert list(figures) == list(choices.MODELS)
    for each in figures.values():
        for name in choices.SETS:
            assert each[name]["plain"]["first"] == each[name]["reranked"]["first"] > 0.2
            assert (
                0.2 < each[name]["plain"]["map"] <= 1 and 0.2 < each[f"{name}, held out"]["plain"]["map"] <= 1
            )
        assert 0 < each["edited"] <= 1 and each["photos_per_second"] > 0
    assert "best: efficientnet-pair-1008" in report._choices(figures)


@pytest.mark.parametrize(
    ("choice", "plain", "reranked", "held_out"),
    [("fast", 0.65, 0.72, 0.73), ("better", 0.685, 0.75, 0.76), ("best", 0.69, 0.755, 0.77)],
)
def test_what_they_find_does_not_fall_below_what_was_measured(shared_data, choice, plain, reranked, held_out):
    """On the whole sets: mean average precision, right first hits, edited photos (docs/models.md)."""
    found = choices.quality(CHOICES[choice], 15)
    assert found["mean"]["plain"] > plain and found["mean"]["reranked"] > reranked
    assert np.mean([found[f"{name}, held out"]["reranked"]["map"] for name in choices.SETS]) > held_out
    assert found["caltech50"]["reranked"]["first"] > 0.925 and found["clothing"]["reranked"]["first"] > 0.72
    assert found["edited"] > 0.88
