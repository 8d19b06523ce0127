"""The bundled text model on real texts."""

import csv

import numpy as np
import pytest

from lookalike.embedders import TextEmbedder
from lookalike.embedders.load import load_embedder


@pytest.fixture(scope="module")
def embedder():
    return load_embedder("all-minilm-l6-v2", "cpu", 2)


@pytest.fixture(scope="module")
def tweets(shared_data):
    with (shared_data / "tweets" / "texts_20k.csv").open(encoding="utf-8", newline="") as file:
        return [row["text"] for row in csv.DictReader(file)][:300]


def test_vectors_keep_the_contract_and_the_order(embedder, tweets):
    assert isinstance(embedder, TextEmbedder)
    assert (embedder.spec.kind, embedder.spec.dim) == ("text", 384)
    rows = embedder.embed_texts(tweets)
    assert (rows.shape, rows.dtype) == ((300, 384), np.float32)
    assert rows.flags.c_contiguous
    assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(300), abs=1e-5)


def test_a_text_is_the_same_whatever_is_beside_it(embedder, tweets):
    together = embedder.embed_texts(tweets)
    alone = np.concatenate([embedder.embed_texts([text]) for text in tweets])
    assert (together * alone).sum(axis=1).min() > 0.99999


def test_meaning_is_nearer_than_words(embedder):
    same, other, asked = embedder.embed_words(
        ["the display of my mobile is cracked", "my phone bill is too high", "broken phone screen"]
    )
    assert asked @ same > asked @ other + 0.2


def test_similar_sentences_score_as_people_say(embedder, shared_data):
    with (shared_data / "stsb" / "stsb-en-dev.csv").open(encoding="utf-8", newline="") as file:
        pairs = list(csv.reader(file))
    left, right = (embedder.embed_texts([pair[side] for pair in pairs]) for side in (0, 1))
    people = np.array([float(pair[2]) for pair in pairs])
    assert spearman((left * right).sum(axis=1), people) > 0.86


def spearman(one, other):
    """The correlation of ranks, equal values at their mean rank."""
    ranks = []
    for values in (one, other):
        _, place, count = np.unique(values, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(count) - (count - 1) / 2)[place])
    return np.corrcoef(*ranks)[0, 1]


def test_what_is_beyond_reach_is_not_read(embedder):
    text = "word " * 1000
    end = embedder.reach(text)
    assert 1000 < end < 1300
    assert embedder.embed_texts([text]) == pytest.approx(embedder.embed_texts([text[:end]]), abs=1e-6)
    assert embedder.reach("a short one") == len("a short one")


def test_an_empty_text_has_a_direction_too(embedder):
    assert np.isfinite(embedder.embed_texts([""])).all()
