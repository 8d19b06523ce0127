"""Tokens by the library `tokenizers`: cut to length, special ones kept, and how far a text is read."""

import builtins
import hashlib
import json

import pytest

from lookalike.embedders.tokens import FileTokenizer, load_tokenizer
from lookalike.errors import MissingExtraError, ModelError
from lookalike.models import ModelFile, TextTower

tokenizers = pytest.importorskip("tokenizers", reason="the extra `models` is not installed")

WORDS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "a", "red", "bus", "cat", "é"]
CLS, SEP = 1, 2


@pytest.fixture
def load(tmp_path):
    def load(change=lambda tokenizer: None, **settings):
        tokenizer = tokenizers.Tokenizer(
            tokenizers.models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]")
        )
        tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
        tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
        )
        change(tokenizer)
        path = tmp_path / "tokenizer.json"
        tokenizer.save(str(path))
        file = ModelFile(path, hashlib.sha256(path.read_bytes()).hexdigest())
        return load_tokenizer(TextTower(file, file, "tokenizers", (), "", "mean", 8, **settings))

    return load


def test_special_tokens_stay_when_a_text_is_cut(load):
    tokenizer = load()
    assert tokenizer.encode("a red bus", 8) == [CLS, 4, 5, 6, SEP]
    assert tokenizer.encode("a red bus a red bus", 5) == [CLS, 4, 5, 6, SEP]
    assert tokenizer.encode("", 8) == tokenizer.encode("a", 2) == tokenizer.encode("a", 1) == [CLS, SEP]


def test_it_is_said_how_far_a_text_is_read(load):
    tokenizer = load()
    assert tokenizer.reach("a red bus", 5) == 9
    assert tokenizer.reach("a red bus", 4) == len("a red")
    assert tokenizer.reach("é é red", 4) == len("é é")
    assert tokenizer.reach("a  ", 3) == 3
    assert (tokenizer.reach("", 4), tokenizer.reach("a", 2)) == (0, 0)


def test_the_files_own_cutting_and_padding_is_not_followed(load):
    def limit(tokenizer):
        tokenizer.enable_truncation(3)
        tokenizer.enable_padding(length=20)

    assert load(limit).encode("a red bus", 8) == [CLS, 4, 5, 6, SEP]


def test_letters_are_lowered_only_where_told(load):
    assert load().encode("A RED Bus", 8) == [CLS, 3, 3, 3, SEP]
    lowered = load(lower_case=True)
    assert lowered.encode("A RED Bus", 8) == [CLS, 4, 5, 6, SEP]
    assert lowered.reach("İ RED Bus", 4) == len("İ RED")


def test_an_end_is_put_where_the_file_leaves_it_out(load):
    def bare(tokenizer):
        tokenizer.post_processor = tokenizers.processors.TemplateProcessing(single="$A", special_tokens=[])

    tokenizer = load(bare, end_id=7)
    assert tokenizer.encode("a red", 8) == [4, 5, 7]
    assert tokenizer.encode("a red bus", 3) == [4, 5, 7]
    assert tokenizer.reach("a red bus", 3) == len("a red")
    assert load(end_id=SEP).encode("a", 8) == [CLS, 4, SEP]  # the file does it


def test_it_is_told_what_is_in_the_vocabulary(load):
    tokenizer = load()
    assert tokenizer.known("a red bus") == (3, 0)
    assert tokenizer.known("a zebra , zebra") == (1, 3)
    assert tokenizer.known("สวัสดี") == (0, 1)


def pieces(**settings):
    """A tokenizer of pieces with probabilities, as most for many languages are."""
    scores = [("<pad>", 0.0), ("<unk>", 0.0), ("▁a", -1.0), ("▁", -2.0), ("b", -2.0), (",", -2.0)]
    scores += [(f"<0x{byte:02X}>", -9.0) for byte in range(256)] if settings else []
    made = tokenizers.Tokenizer(tokenizers.models.Unigram(scores, 1, **settings))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    return made


def test_pieces_that_stand_for_all_else_are_told(load):
    assert FileTokenizer(pieces(), None).known("a b 😀, a") == (3, 1)
    assert FileTokenizer(pieces(), None).known("😀 😀") == (0, 2)


def test_what_is_read_as_bytes_is_known():
    assert FileTokenizer(pieces(byte_fallback=True), None).known("😀")[1] == 0
    made = tokenizers.Tokenizer(tokenizers.models.BPE({"a": 0}, []))
    assert FileTokenizer(made, None).known("😀")[1] == 0


def test_a_file_that_is_no_tokenizer_is_refused(tmp_path):
    path = tmp_path / "tokenizer.json"
    for content in (b"{}", b"\xff", json.dumps({"model": {"type": "Evil"}}).encode()):
        path.write_bytes(content)
        file = ModelFile(path, hashlib.sha256(content).hexdigest())
        with pytest.raises(ModelError, match="is not a tokenizer that can be read"):
            load_tokenizer(TextTower(file, file, "tokenizers", (), "", "mean", 8))


def test_without_the_extra_its_install_line_is_given(load, monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "tokenizers":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    file = ModelFile(None, "")
    with pytest.raises(MissingExtraError, match=r"pip install .*\[models\]'"):
        load_tokenizer(TextTower(file, file, "tokenizers", (), "", "mean", 8))
