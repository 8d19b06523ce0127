"""The example's way of reading texts, measured: sentence-transformers, BERT-base size, batches of 32.

Runs in an environment of its own that has torch and sentence-transformers. For each line that comes in it
reads the texts once more, and prints texts per second.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from pathlib import Path

import torch  # type: ignore[import-not-found]  # in its own environment, as those below
from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found]
from sentence_transformers.models import Pooling, Transformer  # type: ignore[import-not-found]
from transformers import BertConfig, BertModel, BertTokenizerFast  # type: ignore[import-not-found]

BATCH = 32


def main() -> None:
    """Read so many texts of a CSV with a vocabulary and so many threads: all four are arguments."""
    table, count, vocab, threads = sys.argv[1:]
    torch.set_num_threads(int(threads))
    with Path(table).open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)][: int(count)]
    model = _model(vocab)
    model.encode(texts[:BATCH], batch_size=BATCH)
    print("ready", flush=True)
    for _ in sys.stdin:
        begun = time.perf_counter()
        model.encode(texts, batch_size=BATCH)
        print(len(texts) / (time.perf_counter() - begun), flush=True)


def _model(vocab: str) -> SentenceTransformer:
    """12 layers of 768 numbers with random weights: the speed does not depend on them."""
    with tempfile.TemporaryDirectory() as folder:
        BertModel(BertConfig()).save_pretrained(folder)
        BertTokenizerFast(vocab_file=vocab).save_pretrained(folder)
        transformer = Transformer(folder)
    return SentenceTransformer(modules=[transformer, Pooling(768)], device="cpu")


main()
