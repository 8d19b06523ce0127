"""Near copies among hits: never by what a model has not read."""

import numpy as np
import pytest

from lookalike.records import Hit
from lookalike.search.copies import mark_copies

THAI = ["สวัสดีตอนเช้า", "อากาศดีมาก", "🎉🎉", "今天天气"]


def hits_of(*texts):
    return [Hit(at + 1, str(at), 1.0, {}, b"", text=text) for at, text in enumerate(texts)]


def marked(hits, rows=None, known=None):
    rows = np.ones((len(hits), 4), np.float32) / 2 if rows is None else rows
    asked = []

    def known_shares(texts):
        asked.append(list(texts))
        return [known(text) for text in texts]

    return [hit.copy_of for hit in mark_copies(hits, rows, known_shares)], asked


def ascii_share(text):
    words = text.split()
    return sum(word.isascii() for word in words) / len(words)


def test_texts_that_were_not_read_are_copies_of_nothing():
    hits = hits_of(*THAI)
    assert marked(hits, known=ascii_share)[0] == [None] * 4
    assert marked(hits, known=lambda text: 1.0)[0] == [None, 1, 1, 1]


def test_others_among_them_are_folded_as_before():
    hits = hits_of(THAI[0], "red bus ’", THAI[1], "the red bus ’", "red buses ’")
    assert marked(hits, known=ascii_share)[0] == [None, None, None, 2, 2]
    hits = hits_of("ok 🎉 🎉", "a 🎉", "b 🎉")
    assert marked(hits, known=ascii_share)[0] == [None, None, 2]


def test_plain_texts_and_photos_are_not_asked_about():
    assert marked(hits_of("a", "b"), known=ascii_share) == ([None, 1], [])
    assert marked(hits_of(None, None), known=ascii_share) == ([None, 1], [])
    far = np.eye(4, dtype=np.float32)
    assert marked(hits_of(*THAI), far, ascii_share) == ([None] * 4, [])


@pytest.mark.parametrize("count", [0, 1, 1500])
def test_any_number_of_hits(count):
    hits = hits_of(*(f"ä {n}" for n in range(count)))
    found, asked = marked(hits, known=lambda text: 0.0)
    assert found == [None] * count
    assert len(asked) == (count > 1)
