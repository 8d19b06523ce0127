"""What ships beside a model's graph: its record, its card and its licence."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from string import Template
from typing import Any

from models.sources import REFERENCE, Source, pinned_version

CARD = Path(__file__).with_name("card.md")
MEASURED = Path(__file__).with_name("measured.json")
PYPI = "https://pypi.org/project"


def write_bundle(source: Source, data: bytes, licence: str, out: Path) -> None:
    """Write the graph `data` to `out` as `model.onnx`, with `record.json`, `README.md` and `LICENSE`."""
    out.mkdir(parents=True, exist_ok=True)
    record = make_record(source, data)
    (out / "model.onnx").write_bytes(data)
    (out / "record.json").write_text(
        json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    (out / "README.md").write_text(make_card(source, record), encoding="utf-8")
    (out / "LICENSE").write_text(licence, encoding="utf-8")


def make_record(source: Source, data: bytes) -> dict[str, Any]:
    """Return the record of a built model: everything the embedder needs to know, as plain data."""
    weights = {
        "url": f"{PYPI}/{source.package}/{pinned_version(source.package)}/",
        "file": source.weights,
        "sha256": source.weights_sha256,
    }
    return {
        "name": source.name,
        "kind": "photo",
        "file": "model.onnx",
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "input": {
            "name": "pixels",
            "dtype": "uint8",
            "layout": "NHWC",
            "size": source.size,
            "resize": "short-side",
            "crop": "centre-square",
            "fraction": 1.0,
            "resample": "hamming",
        },
        "outputs": {"embedding": "embedding", "scores": "scores"},
        "dim": 1280,
        "licence": "Apache-2.0",
        "source": [weights, {"url": f"{PYPI}/{REFERENCE}/{pinned_version(REFERENCE)}/"}],
        "paper": "https://arxiv.org/abs/1905.11946",
        "description": source.description,
    }


def make_card(source: Source, record: dict[str, Any]) -> str:
    """Return the model card; it shows the measurements only if they were made with this very file."""
    measured = json.loads(MEASURED.read_text(encoding="utf-8")).get(record["sha256"])
    return Template(CARD.read_text(encoding="utf-8")).substitute(
        name=source.name,
        description=source.description,
        size=source.size,
        bytes=f"{record['bytes']:,}",
        sha256=record["sha256"],
        weights=Path(source.weights).name,
        weights_sha256=source.weights_sha256,
        weights_url=record["source"][0]["url"],
        reference_url=record["source"][1]["url"],
        measured="\n".join(measured)
        if measured
        else "Not measured yet: run `python bench/models.py --save`.",
    )
