"""Our WordPiece against the library that wrote the field's tokenizer files."""

import csv
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike.embedders.wordpiece import WordPiece
from lookalike.models import load_bundled

tokenizers = pytest.importorskip("tokenizers")

VOCAB = load_bundled("all-minilm-l6-v2").text.tokenizer.read_bytes()
OURS = WordPiece(VOCAB)
NO_LIMIT = 10**6


def reference():
    """BERT's uncased tokenizer, put together by the library over the same vocabulary."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    vocab = {piece: at for at, piece in enumerate(VOCAB.decode().splitlines())}
    made = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100))
    made.normalizer = normalizers.BertNormalizer()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.BertProcessing(("[SEP]", vocab["[SEP]"]), ("[CLS]", vocab["[CLS]"]))
    return made


THEIRS = reference()


def test_real_texts_become_the_same_ids(shared_data):
    texts = []
    for name, column in (("tweets/texts_20k.csv", "text"), ("banking77/train.csv", "text")):
        with (shared_data / name).open(encoding="utf-8", newline="") as file:
            texts += [row[column] for row in csv.DictReader(file)]
    assert len(texts) == 30_003
    wrong = [
        text
        for text, their in zip(texts, THEIRS.encode_batch(texts), strict=True)
        if OURS.encode(text, NO_LIMIT) != their.ids
    ]
    assert not wrong


NASTY = [
    "",
    " ",
    "İstanbul ΑΣ Σίσυφος",
    "naïve café — “quoted” …",
    "中文字符 and 日本語",
    "a\u0000b\ufffdc\u200bd\u00ade",
    "x" * 101,
    "🙂👩‍👩‍👧 ok",
    "[CLS] [SEP] [MASK]",
    "ﬁ ﬂ ² ½ Ⅷ",
    "e\u0301e\u0301",
    "\u2028line\u2029paragraph\u00a0space",
]


@pytest.mark.parametrize("text", NASTY)
def test_nasty_texts_become_the_same_ids(text):
    assert OURS.encode(text, NO_LIMIT) == THEIRS.encode(text).ids


OLD_LETTERS = [
    letter
    for letter in map(chr, range(sys.maxunicode + 1))
    if unicodedata.category(letter) == unicodedata.ucd_3_2_0.category(letter) not in ("Cn", "Cs", "Co")
]
"""Letters that have been what they are since Unicode 3.2: the library's tables are older than Python's."""


def test_every_letter_becomes_the_same_ids():
    texts = [f"0{letter}b" for letter in OLD_LETTERS]
    assert len(texts) > 90_000
    wrong = [
        text
        for text, their in zip(texts, THEIRS.encode_batch(texts), strict=True)
        if OURS.encode(text, NO_LIMIT) != their.ids
    ]
    assert not wrong


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from(OLD_LETTERS)))
def test_any_text_becomes_the_same_ids(text):
    assert OURS.encode(text, NO_LIMIT) == THEIRS.encode(text).ids


@settings(max_examples=200, deadline=None)
@given(st.text(st.sampled_from("ab ,.é中\n")), st.integers(2, 30))
def test_what_is_in_reach_is_read_whole(text, limit):
    assert len(OURS.encode(text, limit)) <= limit
    end = OURS.reach(text, limit)
    assert 0 <= end <= len(text)
    if end == len(text):
        assert len(OURS.encode(text, NO_LIMIT)) <= limit
    assert len(OURS.encode(text[:end], NO_LIMIT)) <= limit
