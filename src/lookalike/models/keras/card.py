"""The record and the model card of a converted network."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lookalike.files import open_bytes
from lookalike.models.keras.wire import INPUT_NAME, MODEL_FILE, NO_WEIGHTS, OUTPUT_NAME, ConvertRequest, Facts

_WHERE = "https://keras.io/api/applications/"
# By the pages of the applications at `_WHERE`: the licences of the weights for ImageNet.
_LICENCES = (
    ("VGG", "CC-BY-4.0"),
    (r"ResNet\d+$", "MIT"),
    ("Xception", "MIT"),
    ("DenseNet", "BSD-3-Clause"),
    ("MobileNet|NASNet|Inception|EfficientNet", "Apache-2.0"),
)
_CARD = """\
# {name}

{description}

| | |
|---|---|
| file | `{file}`, {bytes:,} bytes, sha256 `{sha256}` |
| takes | `{input}`: uint8 `(n, {size}, {size}, 3)`, RGB 0 to 255, any `n` |
| gives | `{output}`: float32 `(n, {dim})`, not of unit length |
| network | {network}, layer `{layer}` |
| weights | {weights} |
| preprocessing | {preprocess}, inside the file |
| made with | {versions} |
| licence | {licence} |

## Preparing a photo

Turn it upright by its EXIF tag, convert it to RGB and squash the whole of it to {size} x {size} with Pillow's
`{resample}` filter, as Keras' `load_img(…, target_size=({size}, {size}), interpolation="{lower}")` does, but
for the EXIF tag. The graph takes the bytes as they are. Compare embeddings by cosine.

On six generated pictures the file gave what Keras gave (cosine 0.9999 or more); else it would not be here.
"""


@dataclass(frozen=True, slots=True)
class Card:
    """What was asked for and what became of it; `name` is the user's own for the model."""

    request: ConvertRequest
    facts: Facts
    resample: str
    name: str | None


def write_card(folder: Path, card: Card) -> None:
    """Write `record.json` and `README.md` beside the model file."""
    record = _record(folder / MODEL_FILE, card)
    content = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    (folder / "record.json").write_text(content, encoding="utf-8")
    (folder / "README.md").write_text(_readme(record, card.facts), encoding="utf-8")


def _record(model: Path, card: Card) -> dict[str, Any]:
    facts = card.facts
    with open_bytes(model) as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "name": card.name or _slug(f"{Path(facts.network).stem}-{facts.layer}"),
        "kind": "photo",
        "file": MODEL_FILE,
        "sha256": sha256,
        "bytes": model.stat().st_size,
        "input": {
            "name": INPUT_NAME,
            "dtype": "uint8",
            "layout": "NHWC",
            "size": facts.size,
            "fraction": 1.0,
            "fit": "squash",
            "resample": card.resample,
        },
        "outputs": {"embedding": OUTPUT_NAME},
        "dim": facts.dim,
        "licence": _licence(card),
        "source": [_source(card)],
        "description": f"{facts.network} of Keras, layer {facts.layer}: {facts.dim:,} numbers a photo.",
    }


def _source(card: Card) -> dict[str, Any]:
    request, facts = card.request, card.facts
    source: dict[str, Any] = {
        "network": facts.network,
        "layer": facts.layer,
        "pooling": request.pooling,
        "preprocess": facts.preprocess,
        "versions": facts.versions,
    }
    path = request.model_file or request.weights
    if path in ("imagenet", NO_WEIGHTS):
        return source | {"url": _WHERE, "weights": path}
    with open_bytes(path) as file:
        return source | {"file": Path(path).name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _licence(card: Card) -> str:
    if card.request.weights == "imagenet" and card.request.model_file is None:
        for pattern, licence in _LICENCES:
            if re.match(pattern, card.facts.network):
                return licence
        return f"see {_WHERE}"
    return (
        "that of the file it was made from" if card.request.weights != NO_WEIGHTS else "none: random weights"
    )


def _readme(record: dict[str, Any], facts: Facts) -> str:
    source = record["source"][0]
    weights = source.get("weights") or f"`{source['file']}`, sha256 `{source['sha256']}`"
    told = " (told by its layers)" if facts.guessed else ""
    return _CARD.format(
        **{key: record[key] for key in ("name", "description", "file", "bytes", "sha256", "dim", "licence")},
        input=INPUT_NAME,
        output=OUTPUT_NAME,
        size=facts.size,
        network=facts.network,
        layer=facts.layer,
        weights={"imagenet": "ImageNet's, as Keras downloads them", NO_WEIGHTS: "random"}.get(
            weights, weights
        ),
        preprocess=f"`{facts.preprocess}`{told}",
        versions=", ".join(f"{name} {version}" for name, version in facts.versions.items()),
        resample=record["input"]["resample"].upper(),
        lower=record["input"]["resample"],
    )


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
