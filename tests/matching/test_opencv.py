"""Without OpenCV it is said how to get it."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from lookalike.errors import MissingExtraError
from lookalike.matching import opencv
from lookalike.matching.features import extract


@pytest.fixture
def without_opencv(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    opencv.opencv.cache_clear()
    yield
    opencv.opencv.cache_clear()


def test_it_is_there():
    assert opencv.has_opencv()
    assert opencv.opencv().getNumThreads() == 1, "who compares has a thread on each processor already"


def test_where_it_is_missing_the_extra_is_named(without_opencv):
    assert not opencv.has_opencv()
    with pytest.raises(MissingExtraError, match=r"^comparing photos closely needs .*\[copies\]"):
        extract(np.zeros((8, 8, 3), np.uint8))
