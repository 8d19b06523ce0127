"""The bundled text model beside the float32 one and beside the example's way.

    python bench/texts.py quality     how well it finds
    python bench/texts.py speed       how fast it reads
    python bench/texts.py search      `lookalike add` of 20,000 tweets, and searches among them

`quality` compares with the float32 graph that `make models` leaves in build/models; `speed` compares with the
example's way, in an environment of its own that is made where it is missing.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from common import CLI, DATA, ROOT, fresh, median, percentile, run, timed
from lookalike import Collection, Example
from lookalike.embedders.texts import OnnxTextEmbedder
from lookalike.models import ModelFile, load_bundled
from lookalike.records import SearchOptions, Vectors, Words

NAME = "all-minilm-l6-v2"
FLOAT32 = ROOT / "build" / "models" / f"{NAME}-float32.onnx"
K = 10
ROUNDS = 3
THREADS = 2
BATCH = 512  # as many as `add` hands over at once
EXAMPLE_TEXTS = 640  # of the tweets; the example reads few a second
EXAMPLE_ENV = ROOT / ".cache" / "bench-texts-env"
EXAMPLE_PACKAGES = ("torch==2.13.0", "sentence-transformers==6.2.0")
WARM, ASKED = 20, 500  # searches
TWEETS = DATA / "tweets" / "texts_20k.csv"


def quality() -> dict[str, dict[str, float]]:
    """Spearman's correlation on stsb-en-dev, and precision@10 on banking77 with every question as a query."""
    record = load_bundled(NAME)
    embedders = {"int8": OnnxTextEmbedder(record, THREADS)}
    if FLOAT32.exists():
        assert record.text is not None
        tower = replace(record.text, file=ModelFile(FLOAT32, _sha256(FLOAT32)))
        embedders["float32"] = OnnxTextEmbedder(replace(record, text=tower), THREADS)
    with (DATA / "stsb" / "stsb-en-dev.csv").open(encoding="utf-8", newline="") as file:
        pairs = list(csv.reader(file))
    people = np.array([float(pair[2]) for pair in pairs])
    with (DATA / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    labels = np.array([row["category"] for row in rows])
    found = {}
    for name, embedder in embedders.items():
        left, right = (embedder.embed_texts([pair[side] for pair in pairs]) for side in (0, 1))
        questions = embedder.embed_texts([row["text"] for row in rows])
        found[name] = {
            "spearman": round(spearman((left * right).sum(axis=1), people), 4),
            "precision_at_10": round(precision(questions, labels), 4),
        }
    return found


def precision(rows: Vectors, labels: np.ndarray) -> float:
    """Mean share of the same label among the 10 nearest others."""
    shares = []
    for at in range(0, len(rows), 1000):
        scores = rows[at : at + 1000] @ rows.T
        scores[np.arange(len(scores)), np.arange(at, at + len(scores))] = -2
        best = np.argpartition(-scores, K, axis=1)[:, :K]
        shares.append((labels[best] == labels[at : at + len(scores), None]).mean(axis=1))
    return float(np.concatenate(shares).mean())


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """The correlation of ranks, equal values at their mean rank."""
    ranks = []
    for values in (one, other):
        _, place, count = np.unique(values, return_inverse=True, return_counts=True)
        ranks.append((np.cumsum(count) - (count - 1) / 2)[place])
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def speed() -> dict[str, float]:
    """Tweets per second of three that take turns: ours, ours without tokenizing, and the example.

    `ratio` is the median of the rounds' own ratios: what else runs on the machine slows down both of a round.
    """
    record = load_bundled(NAME)
    assert record.text is not None
    embedder = OnnxTextEmbedder(record, THREADS)
    with TWEETS.open(encoding="utf-8", newline="") as file:
        tweets = [row["text"] for row in csv.DictReader(file)]
    batches = [tweets[at : at + BATCH] for at in range(0, len(tweets), BATCH)]
    embedder.embed_texts(batches[0])
    run_alone = inference(embedder, batches)
    ours, alone, example = [], [], []
    with example_reader(record.text.tokenizer.path) as read_example:
        for _ in range(ROUNDS):
            ours.append(len(tweets) / timed(lambda: [embedder.embed_texts(batch) for batch in batches]))
            alone.append(len(tweets) / timed(run_alone))
            example.append(read_example())
    return {
        "tweets_per_second": median(ours),
        "fastest": max(ours),
        "inference_alone": median(alone),
        "of_inference": median([one / other for one, other in zip(ours, alone, strict=True)]),
        "example": median(example),
        "ratio": median([one / other for one, other in zip(ours, example, strict=True)]),
    }


def inference(embedder: OnnxTextEmbedder, batches: list[list[str]]) -> Callable[[], object]:
    """Return what runs the network over all that the embedder feeds it for these texts, and no more."""
    session = embedder._session
    fed: list[dict[str, np.ndarray]] = []

    class Recorder:
        def run(self, wanted: list[str], inputs: dict[str, np.ndarray]) -> object:
            fed.append(inputs)
            return session.run(wanted, inputs)

    embedder._session = Recorder()
    for batch in batches:
        embedder.embed_texts(batch)
    embedder._session = session
    pool = ThreadPoolExecutor(THREADS)
    return lambda: list(pool.map(lambda inputs: session.run(None, inputs), fed))


def search() -> dict[str, float]:
    """`lookalike add` of all tweets, and milliseconds from a text to its hits among them, warm."""
    folder = fresh("tweets.lookalike")
    command = [CLI, "add", TWEETS, "--column", "text", "-c", folder]
    _, seconds, peak = run(command, stderr=subprocess.DEVNULL)
    with (DATA / "banking77" / "train.csv").open(encoding="utf-8", newline="") as file:
        questions = [row["text"] for row in csv.DictReader(file)][: WARM + ASKED]
    with Collection(folder) as collection:
        items = collection.info().items
        times = {
            name: [
                1000 * timed(lambda asked=asked, wish=wish: collection.answer([asked], wish))  # type: ignore[misc]
                for asked in ([Example(Words(question))] for question in questions)
            ][WARM:]
            for name, wish in (("ms", SearchOptions()), ("hybrid_ms", SearchOptions(hybrid=True)))
        }
    return {
        "items": items,
        "add_per_second": 20_000 / seconds,
        "add_peak_mb": peak,
        "ms": median(times["ms"]),
        "p99_ms": percentile(times["ms"], 0.99),
        "hybrid_ms": median(times["hybrid_ms"]),
    }


@contextmanager
def example_reader(vocab: Path) -> Iterator[Callable[[], float]]:
    """Start the example's way, and give what lets it read once and returns its texts per second."""
    python = EXAMPLE_ENV / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", EXAMPLE_ENV], check=True)
        for package in EXAMPLE_PACKAGES:  # torch first: the next would take a larger build of it
            subprocess.run([python, "-m", "pip", "install", "--quiet", package], check=True)
    command = [python, ROOT / "bench" / "example_texts.py", TWEETS, str(EXAMPLE_TEXTS), vocab, str(THREADS)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        asked, answers = process.stdin, process.stdout
        assert asked is not None  # both are pipes
        assert answers is not None
        answers.readline()
        yield lambda: _ask(asked, answers)
        asked.close()


def _ask(asked: IO[str], answers: IO[str]) -> float:
    print(file=asked, flush=True)
    return float(answers.readline())


def _sha256(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    print(json.dumps({"quality": quality, "speed": speed, "search": search}[sys.argv[1]]()))
