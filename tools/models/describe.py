"""What ships beside a model's graph: its record, its card and its licence."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from string import Template
from typing import Any

from models.sources import REFERENCE, SOURCES, Ensemble, Source, pinned_version

CARD = Path(__file__).with_name("card.md")
ENSEMBLE_CARD = Path(__file__).with_name("ensemble_card.md")
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
        "model_id": source.model_id,
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
    """Return the model card; it shows the measurements only if they were made with these very vectors."""
    measured = json.loads(MEASURED.read_text(encoding="utf-8")).get(record["model_id"])
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


def write_ensemble(ensemble: Ensemble, licence: str, out: Path) -> None:
    """Write the record, card and licence of a model that is made of the networks beside it."""
    out.mkdir(parents=True, exist_ok=True)
    content = json.dumps(make_ensemble(ensemble), indent=2, ensure_ascii=False) + "\n"
    (out / "record.json").write_text(content, encoding="utf-8")
    (out / "README.md").write_text(make_ensemble_card(ensemble), encoding="utf-8")
    (out / "LICENSE").write_text(licence, encoding="utf-8")


def make_ensemble(ensemble: Ensemble) -> dict[str, Any]:
    """Return the record of an ensemble; its id is the sha256 of all that decides a vector."""
    ids = {source.name: source.model_id for source in SOURCES}
    networks = [
        {
            "network": part.network,
            "output": "strongest",
            "numbers": part.numbers,
            "weight": part.weight,
            "looks": [{"share": share, "weight": weight} for share, weight in part.looks],
        }
        for part in ensemble.parts
    ]
    recipe = [{**each, "model_id": ids[str(each["network"])]} for each in networks]
    return {
        "name": ensemble.name,
        "kind": "photo",
        "model_id": hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest(),
        "networks": networks,
        "dim": sum(part.numbers for part in ensemble.parts),
        "licence": "Apache-2.0",
        "description": ensemble.description,
    }


def make_ensemble_card(ensemble: Ensemble) -> str:
    """Return the card of an ensemble."""
    rows = [
        f"| [{part.network}](../{part.network}/README.md) | first {part.numbers} | {part.weight} | "
        + ", ".join(f"{share:.0%} of the square (weight {weight:g})" for share, weight in part.looks)
        + " |"
        for part in ensemble.parts
    ]
    return Template(ENSEMBLE_CARD.read_text(encoding="utf-8")).substitute(
        name=ensemble.name, description=ensemble.description, rows="\n".join(rows)
    )
