"""How much of a text the models know, and that asking costs little."""

import pytest

from lookalike.embedders.known import HARDLY, UNREAD, TellsKnown, is_plain, known_shares, other_model
from lookalike.embedders.load import load_embedder
from lookalike.embedders.texts import OnnxTextEmbedder
from lookalike.embedders.wordpiece import WordPiece
from lookalike.models import load_bundled
from lookalike.models.recommended import RECOMMENDED, of_many_languages

VOCAB = load_bundled("all-minilm-l6-v2").text.tokenizer.read_bytes()


@pytest.fixture(scope="module")
def embedder():
    return load_embedder("all-minilm-l6-v2", "cpu", 1)


KNOWN = ["a plain text", "naïve café “quoted” — really…", "don't!", "!!! ... ?", "", "4711", "lol 😂"]
NOTHING_KNOWN = ["สวัสดีตอนเช้าเพื่อน", "อากาศ สวัสดี", "😀", "🎉🎉 🎉!!!", "x" * 101]
HARDLY_KNOWN = [*NOTHING_KNOWN, "今天天气很好，我们去公园散步吧", "ok 😂 🎉"]


def test_the_bundled_model_tells_what_it_knows(embedder):
    assert isinstance(embedder, TellsKnown)
    for text, share in zip(KNOWN, embedder.known_shares(KNOWN), strict=True):
        assert share >= HARDLY, text
    for text, share in zip(HARDLY_KNOWN, embedder.known_shares(HARDLY_KNOWN), strict=True):
        assert share < HARDLY, text
    assert embedder.known_shares(NOTHING_KNOWN) == [0.0] * len(NOTHING_KNOWN)
    for text in ("Мой телефон сломался", "صباح الخير يا أصدقائي", "Καλημέρα φίλοι"):  # spelled, no two alike
        (share,) = embedder.known_shares([text])
        assert UNREAD < share < HARDLY
    assert embedder.known_shares(["Über müde Füße, größere Öfen", "Tôi thích mèo"]) == [1, 1]
    assert embedder.known_shares(["x" * 101, "a 😂", "a b c 😂"]) == [0, 0.5, 0.75]


def test_what_is_known_is_what_has_tokens_of_its_own():
    tokenizer = WordPiece(VOCAB)
    unknown = tokenizer.encode("\U0001f600", 9)[1]
    for text in [*KNOWN, *HARDLY_KNOWN]:
        assert tokenizer.known(text)[1] == tokenizer.encode(text, 1000).count(unknown)


def test_plain_english_is_known_without_a_look_at_the_vocabulary(monkeypatch):
    tokenizer = WordPiece(VOCAB)
    monkeypatch.setattr("lookalike.embedders.wordpiece._plain", None)
    assert tokenizer.known("It costs 5 $, doesn't it?") == (1, 0)


def test_words_for_photos_are_told_apart_too():
    photos = load_embedder("efficientnet-lite0", "cpu", 1)
    assert photos.companion.known_shares(["a red bus", "รถบัส", "🚌"]) == [1, 0, 0]
    assert isinstance(photos.companion, TellsKnown)


def test_an_embedder_that_cannot_tell_is_taken_to_know_all():
    assert known_shares(object(), ["a", "😀"]) == [1.0, 1.0]


@pytest.mark.parametrize(
    ("text", "plain"), [("a 😂", True), ("4", True), ("😂", False), ("", False), ("x" * 101, False)]
)
def test_some_texts_need_no_model_to_be_told(text, plain):
    assert is_plain(text) == plain


def test_another_model_is_named_by_its_kind():
    assert of_many_languages("text").licence == "MIT"
    assert {of_many_languages(kind).kind for kind in ("photo", "text")} == {"photo", "text"}
    assert of_many_languages("photo").takes_words
    for kind in ("photo", "text"):
        assert of_many_languages(kind) in RECOMMENDED
        assert "many languages" in other_model(kind, "all-minilm-l6-v2")
        assert other_model(kind, f"{of_many_languages(kind).reference}@{'0' * 40}") == ""


def test_prefixes_do_not_count(embedder):
    assert OnnxTextEmbedder.known_shares(embedder, ["😀"]) == [0.0]
