"""Texts and words that a model knows nothing of: counted, told, refused, never folded."""

import csv
from collections.abc import Sequence

import numpy as np
import pytest

from lookalike import Collection
from lookalike.embedders.fake import FakeTextEmbedder, FakeWordsEmbedder
from lookalike.errors import QueryError
from lookalike.records import SearchOptions, Words
from lookalike.search.queries import Example

TEXTS = ["red bus late", "the red bus", "สวัสดีตอนเช้า", "อากาศดี มาก", "🎉🎉", "rain 🎉", "รอ 🎉 bus"]


class EnglishEmbedder(FakeTextEmbedder):
    """A fake that takes every word beyond ASCII for the same one, as a vocabulary does."""

    def embed_texts(self, texts: list[str]) -> np.ndarray:
        return super().embed_texts([" ".join(w if w.isascii() else "unk" for w in t.split()) for t in texts])

    def known_shares(self, texts: Sequence[str]) -> list[float]:
        words = [text.split() for text in texts]
        return [sum(map(str.isascii, some)) / len(some) if some else 1.0 for some in words]


class EnglishWordsEmbedder(FakeWordsEmbedder):
    """The same for words that find photos."""

    known_shares = EnglishEmbedder.known_shares


def write(path, texts):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text",), *((text,) for text in texts)])
    return path


@pytest.fixture
def collection(tmp_path):
    write(tmp_path / "t.csv", TEXTS)
    with Collection(tmp_path / "t.lookalike", embedder=EnglishEmbedder()) as collection:
        yield collection


def item_of(collection, text):
    return next(item.id for item in collection.items(limit=99) if item.text == text)


def test_they_are_counted_and_told_with_a_way_out(collection, tmp_path):
    report = collection.add(tmp_path / "t.csv")
    assert (report.added, report.unreadable) == (7, 4)
    (line,) = report.remarks
    assert line.startswith("4 of 7 new texts are hardly readable by the model fake-texts")
    assert line.endswith("; for many languages: lookalike models add multilingual-e5-small")
    report = collection.add(tmp_path / "t.csv")
    assert (report.unreadable, report.remarks) == (0, ())
    write(tmp_path / "t.csv", [*TEXTS, "one more", "ดี"])
    report = collection.add(tmp_path / "t.csv")
    assert report.remarks[0].startswith("1 of 2 new texts is hardly readable")
    write(tmp_path / "t.csv", [*TEXTS, "plain"])
    assert collection.add(tmp_path / "t.csv").remarks == ()


def test_they_are_copies_of_nothing(collection, tmp_path):
    collection.add(tmp_path / "t.csv")
    (result,) = collection.answer([Words("late unk")], SearchOptions(9, mark_copies=True))
    unread = [hit for hit in result if hit.text in TEXTS[2:5]]
    assert len(unread) == 3
    assert [hit.copy_of for hit in result] == [None] * 7
    rows = np.array([collection.open_space().vectors.fetch([hit.id]).rows[0] for hit in unread])
    assert (rows @ rows.T).min() > 0.99  # by their vectors alone, they would be


@pytest.mark.parametrize("words", ["สวัสดี", "🎉", "🎉🎉 🎉"])
def test_words_of_which_nothing_is_known_are_refused(collection, tmp_path, words):
    collection.add(tmp_path / "t.csv")
    said = f"the model fake-texts knows no word of '{words}', so that any answer would be by chance"
    with pytest.raises(QueryError, match=f"{said}; --hybrid finds exact words; for many languages"):
        collection.search(Words(words))
    with pytest.raises(QueryError, match=said):
        collection.search([Example(Words("red bus")), Example(Words(words), -0.5)])
    assert len(collection.search(Words(f"{words} bus"))) == 7


def test_exact_words_find_them_alone(collection, tmp_path):
    collection.add(tmp_path / "t.csv")
    (result,) = collection.answer([Words("สวัสดีตอนเช้า")], SearchOptions(5, hybrid=True))
    assert [(hit.text, hit.matched) for hit in result] == [(TEXTS[2], True)]
    assert not result.more
    with pytest.raises(
        QueryError, match="no text has the exact words 'ฝน', and the model knows none of them"
    ):
        collection.answer([Words("ฝน")], SearchOptions(5, hybrid=True))
    (result,) = collection.answer([Words("bus มาก")], SearchOptions(9, hybrid=True))
    assert len(result) == 7  # of these words, it knows one


def test_an_item_of_which_nothing_is_known_is_refused(collection, tmp_path):
    collection.add(tmp_path / "t.csv")
    for text in TEXTS[2:5]:
        with pytest.raises(QueryError, match=f"knows no word of item {item_of(collection, text)}"):
            collection.search(item_of(collection, text))
    for text in (TEXTS[0], *TEXTS[5:]):
        assert len(collection.search(item_of(collection, text))) == 6


def test_vectors_without_their_model_are_searched_by_any_item(collection, tmp_path, monkeypatch):
    collection.add(tmp_path / "t.csv")
    monkeypatch.setattr(EnglishEmbedder, "known_shares", None)
    with Collection(tmp_path / "t.lookalike", embedder=FakeTextEmbedder()) as plain:
        assert len(plain.search(item_of(plain, TEXTS[4]))) == 6


def test_words_for_photos_are_refused_too(tmp_path, make_photo):
    make_photo(tmp_path / "p" / "1.png", 1)
    with Collection(tmp_path / "p.lookalike", embedder=EnglishWordsEmbedder()) as photos:
        photos.add(tmp_path / "p")
        assert len(photos.search(Words("red"))) == 1
        with pytest.raises(
            QueryError, match=r"by chance; for many languages: lookalike models add siglip2-b16$"
        ):
            photos.search(Words("แดง"))
