"""Reciprocal rank fusion, by cases worked by hand."""

from __future__ import annotations

from fractions import Fraction

import pytest

from lookalike.search.fusion import fuse


@pytest.mark.parametrize(
    ("rankings", "expected"),
    [
        ([], []),
        ([[], []], []),
        ([[3, 1, 2]], [3, 1, 2]),
        ([[1, 2, 3], [1, 2, 3]], [1, 2, 3]),
        # 1/61 + 1/62 for both: equal sums keep the order of the first ranking
        ([[1, 2], [2, 1]], [1, 2]),
        ([[2, 1], [1, 2]], [2, 1]),
        # 7 stands third in both: 2/63 = 0.0317; 1 and 4 are first in one only: 1/61 = 0.0164
        ([[1, 2, 7], [4, 5, 7]], [7, 1, 4, 2, 5]),
        # 9: 1/61 + 1/64 = 0.03202; 8: 1/62 + 1/62 = 0.03226; what one ranking alone has comes after
        ([[9, 8, 1], [5, 8, 6, 9]], [8, 9, 5, 1, 6]),
    ],
)
def test_cases_worked_by_hand(rankings, expected):
    assert fuse(rankings) == expected


def test_k_says_how_much_the_first_places_matter():
    """1 is first and fifth, 2 third in both: 1/1 + 1/5 > 2/3, but 1/61 + 1/65 < 2/63 turns it round."""
    rankings = [[1, 8, 2, 9, 7], [6, 5, 2, 4, 1]]
    assert Fraction(1, 1) + Fraction(1, 5) > Fraction(2, 3)
    assert fuse(rankings, k=0)[:2] == [1, 6]
    assert Fraction(1, 61) + Fraction(1, 65) > Fraction(2, 63)  # by a hair: 1/x is convex
    assert fuse(rankings)[:2] == [1, 2]
