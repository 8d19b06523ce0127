"""Conditions on the columns of texts: booleans as they are written, and columns that are not there."""

from __future__ import annotations

import json

import pytest

from lookalike import Collection
from lookalike.embedders.fake import FakeTextEmbedder
from lookalike.errors import UsageError

ROWS = [
    {"text": "one", "verified": True, "likes": 1, 'odd "name"': True},
    {"text": "two", "verified": False, "likes": 0},
    {"text": "three", "verified": "true", "likes": 3},
    {"text": "four", "likes": 1},
]


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("columns")
    (folder / "t.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    with Collection(folder / "c.lookalike", embedder=FakeTextEmbedder()) as collection:
        collection.add(folder / "t.jsonl", column="text")
        yield collection


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        ("verified=true", [1, 3]),
        ("verified=TRUE", [1, 3]),
        ("verified=false", [2]),
        ("verified!=true", [2]),
        ("verified=t*", [1, 3]),
        ("odd_name=true", [1]),
        ("likes=1", [1, 4]),
        ("likes>0", [1, 3, 4]),
        ("likes=true", []),
    ],
)
def test_booleans_are_compared_as_they_are_written(texts, condition, ids):
    assert [item.id for item in texts.items(where=condition)] == ids


@pytest.mark.parametrize("condition", ["verifyed=true", "colour=red", ".id=5", "camera=canon*"])
def test_a_column_that_no_text_has_is_refused_with_those_that_there_are(texts, condition):
    with pytest.raises(
        UsageError, match=r"no text has a column .* folder, id, uri, likes, odd_name, verified"
    ):
        texts.items(where=condition)
    with pytest.raises(UsageError, match="no text has a column"):
        texts.search(1, where=condition)


def test_the_nearest_name_is_offered(texts):
    with pytest.raises(UsageError, match=r"did you mean verified\?"):
        texts.items(where="verifyed=true")


def test_a_condition_that_nothing_meets_is_no_error(texts):
    assert texts.items(where="likes>100") == []
