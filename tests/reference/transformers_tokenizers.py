"""Small tokenizers of each family, trained on the spot and saved as published models have them."""

from __future__ import annotations

import json
from pathlib import Path

import sentencepiece
import tokenizers as tk
import transformers as tf
from tokenizers import models, normalizers, pre_tokenizers, processors, trainers

# Enough letters and words for a vocabulary; what it is about does not matter.
CORPUS = [
    *Path(tf.__file__).with_name("modeling_utils.py").read_text(encoding="utf-8").splitlines(),
    "Ein Hund läuft über die Straße, und zwei Katzen schauen zu.",
    "Un chat noir dort près de la fenêtre ; il fait très chaud à Málaga.",
    "a photo of a red bus, the cat sat on the mat. It's 10:30 — isn't it?",
]
_VOCABULARY = 600


def bert(folder: Path, pooling: str | None = None) -> tf.BertTokenizer:
    """WordPiece, uncased; with `pooling`, beside it what sentence-transformers writes."""
    trained = tk.BertWordPieceTokenizer(lowercase=True)
    trained.train_from_iterator(CORPUS, vocab_size=_VOCABULARY)
    tokenizer = tf.BertTokenizer(vocab=trained.get_vocab(), model_max_length=48)
    tokenizer.save_pretrained(folder)
    _limit_and_pad(folder)
    if pooling:
        modes = {"cls_token": False, "mean_tokens": False, "max_tokens": False}
        modes[f"{pooling}_tokens"] = True
        write(folder / "1_Pooling" / "config.json", {f"pooling_mode_{key}": on for key, on in modes.items()})
        kinds = ("Transformer", "Pooling", "Normalize")
        modules = [
            {"idx": at, "type": f"sentence_transformers.models.{kind}"} for at, kind in enumerate(kinds)
        ]
        write(folder / "modules.json", modules)
        write(folder / "sentence_bert_config.json", {"max_seq_length": 48, "do_lower_case": False})
    return tokenizer


def e5(folder: Path) -> tf.XLMRobertaTokenizer:
    """SentencePiece pieces as XLM-RoBERTa has them; reads BERT's weights, as multilingual E5 does."""
    trained = tk.SentencePieceUnigramTokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trained.train_from_iterator(CORPUS, vocab_size=_VOCABULARY, special_tokens=special, unk_token="<unk>")
    pieces = json.loads(trained.to_str())["model"]["vocab"]
    tokenizer = tf.XLMRobertaTokenizer(vocab=[tuple(piece) for piece in pieces], model_max_length=48)
    tokenizer.save_pretrained(folder)
    return tokenizer


def clip(folder: Path) -> tf.CLIPTokenizer:
    """Byte pairs with an end-of-word mark; the end token has the largest number."""
    bpe = tk.Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    bpe.normalizer = normalizers.Lowercase()
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Whitespace(), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY - 2,
        initial_alphabet=[*alphabet],
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    bpe.train_from_iterator(CORPUS, trainer)
    facts = json.loads(bpe.to_str())["model"]
    vocab = dict(facts["vocab"])
    for token in ("<|startoftext|>", "<|endoftext|>"):
        vocab[token] = len(vocab)
    tokenizer = tf.CLIPTokenizer(
        vocab=vocab, merges=[tuple(pair) for pair in facts["merges"]], model_max_length=24
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def siglip(folder: Path) -> tf.SiglipTokenizer:
    """SigLIP's own tokenizer on SentencePiece, and the `tokenizer.json` that exports carry for it."""
    folder.mkdir(parents=True)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line.lower() for line in CORPUS),
        model_prefix=str(folder / "spiece"),
        vocab_size=_VOCABULARY,
        pad_id=-1, unk_id=2, bos_id=-1, eos_id=1, user_defined_symbols=[], control_symbols=["<pad>"],
        add_dummy_prefix=True, minloglevel=2, byte_fallback=False,
    )  # fmt: skip
    tokenizer = tf.SiglipTokenizer(str(folder / "spiece.model"), model_max_length=64)
    tokenizer.save_pretrained(folder)
    _write_siglip_json(folder, tokenizer)
    return tokenizer


def _write_siglip_json(folder: Path, tokenizer: tf.SiglipTokenizer) -> None:
    model = sentencepiece.SentencePieceProcessor(str(folder / "spiece.model"))
    pieces = [(model.id_to_piece(at), model.get_score(at)) for at in range(model.get_piece_size())]
    fast = tk.Tokenizer(models.Unigram(pieces, unk_id=model.unk_id()))
    fast.normalizer = normalizers.Sequence(
        [
            normalizers.Lowercase(),
            normalizers.Replace(tk.Regex(r"[!\"\#\$%\&'\(\)\*\+,\-\./:;<=>\?@\[\\\]\^_`\{\|\}\~]"), ""),
            normalizers.Replace(tk.Regex(r"\s+"), " "),
            normalizers.Strip(),
            normalizers.NFKC(),
        ]
    )
    fast.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    end = tokenizer.eos_token
    fast.post_processor = processors.TemplateProcessing(
        single=["$A", end], special_tokens=[(end, tokenizer.eos_token_id)]
    )
    fast.add_special_tokens([end, tokenizer.unk_token])
    fast.save(str(folder / "tokenizer.json"))


def siglip2(folder: Path) -> tf.Siglip2Tokenizer:
    """Gemma's way of byte pairs; the published file neither lowers letters nor ends a text itself."""
    bpe = tk.Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    bpe.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace(" ", "▁")])
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY - 256,
        special_tokens=[*special, *(f"<0x{byte:02X}>" for byte in range(256))],
        limit_alphabet=60,
        show_progress=False,
    )
    bpe.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    bpe.train_from_iterator(CORPUS, trainer)
    facts = json.loads(bpe.to_str())["model"]
    tokenizer = tf.Siglip2Tokenizer(
        vocab=facts["vocab"], merges=[tuple(pair) for pair in facts["merges"]], model_max_length=64,
        add_bos_token=False, add_eos_token=True, padding_side="right",
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    saved = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    saved["normalizer"] = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
    saved["post_processor"] = None
    write(folder / "tokenizer.json", saved)
    return tokenizer


def _limit_and_pad(folder: Path) -> None:
    """Let the file cut and pad by itself to 16 tokens, as some published ones do; readers must not."""
    tokenizer = tk.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(16)
    tokenizer.enable_padding(length=16)
    tokenizer.save(str(folder / "tokenizer.json"))


def write(path: Path, facts: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts), encoding="utf-8")
