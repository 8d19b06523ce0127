"""What cameras and people note in photos can be asked for: lens, exposure, rating, title, keywords."""

from __future__ import annotations

import numpy as np
import pytest

from lookalike.errors import UsageError
from lookalike.records import FileStamp, Photo
from lookalike.store import PhotoBatch, Store
from lookalike.store.filters import parse_filter

FACTS = [
    {"lens": "EF 50mm", "iso": 100, "exposure": 0.004, "rating": 5, "keywords": "beach; sea; Été"},
    {
        "lens": "RF 24-105mm",
        "iso": 3200,
        "exposure": 2.0,
        "rating": -1,
        "keywords": "seaside",
        "title": "Dusk",
    },
    {"iso": 400, "rating": 3, "keywords": "sea", "title": "At the sea; evening"},
    {"width": 10},
]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("facts") / "c.lookalike", create=True)
    space = store.ensure_space("fake", "f" * 64, 4)
    row = np.full(4, 0.5, np.float32)
    photos = [
        (Photo(f"/{n}.jpg", FileStamp(n, n), bytes([n]) * 32, None, facts), row)
        for n, facts in enumerate(FACTS)
    ]
    store.commit(space, PhotoBatch(photos), reader="test", is_gone=lambda _: False)
    yield store
    store.close()


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        ("lens=*50mm*", [1]),
        ("iso>=400", [2, 3]),
        ("exposure<0.01", [1]),
        ("rating>=3", [1, 3]),
        ("rating=-1", [2]),
        ("keywords=sea", [1, 3]),
        ("keywords=SEA", [1, 3]),
        ("keywords=sea*", [1, 2, 3]),
        ("keywords=été", [1]),
        ("keywords=beach", [1]),
        ("keywords=ea", []),
        ("keywords!=sea", [2]),
        ("title=dusk", [2]),
        ("title=*sea*", [3]),
    ],
)
def test_each_is_compared_as_it_is(store, condition, ids):
    assert store.items.matching([parse_filter(condition)]).tolist() == ids


def test_a_field_that_there_is_not_is_refused_with_those_that_there_are(store):
    with pytest.raises(UsageError, match=r"exposure.*keywords.*lens.*rating"):
        store.items.matching([parse_filter("aperture=2")])
