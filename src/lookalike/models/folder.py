"""Reads a model folder in the usual Hugging Face layout as a `ModelRecord`; nothing in it is run.

::

    config.json  preprocessor_config.json            onnx/model.onnx                            one tower
    tokenizer.json  tokenizer_config.json            onnx/vision_model.onnx, text_model.onnx    two towers

The ONNX files may also lie at the top. The names of inputs and outputs are those that optimum gives them. A
folder with a `record.json` of our own is read by that.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from lookalike.errors import ModelError
from lookalike.files import open_text
from lookalike.models.files import read_json
from lookalike.models.record import ModelRecord, PhotoTower, Pooling, TextTower, read_record
from lookalike.models.source import Source
from lookalike.models.towers import photo_tower, text_tower

_PREFERRED = ("", "_quantized", "_int8", "_uint8", "_fp16")  # float32 first, then what every processor runs
_LICENCE = re.compile(r"^license:\s*[\"']?([\w.+-]+)", re.MULTILINE)
_CARD_BYTES = 1 << 16


def read_folder(
    folder: Path,
    reference: str,
    *,
    name: str | None = None,
    variant: str | None = None,
    sums: Mapping[str, str] | None = None,
) -> ModelRecord:
    """Return the record of a model in a folder; raises `ModelError` where it is missing or unfit.

    `variant` chooses among several ONNX files by what their names end with, such as "quantized" or "fp16",
    and how tokens become one vector, whatever the files say: "cls", "mean", "last", "fp16+cls". With `sums`,
    sha256s by relative path, files are held to them when they are used.
    """
    if not folder.is_dir():
        raise ModelError(f"there is no model folder {folder}")
    if (folder / "record.json").is_file():
        return _of_ours(folder, reference)
    file_variant, pooling = split_variant(variant)
    config = read_json(folder / "config.json")
    names = [str(each) for each in (name, config.get("_name_or_path"), folder.name) if each]
    source = Source(folder, config, names, sums or {}, pooling)
    towers = choose_onnx(_listing(folder), file_variant, str(folder))
    if len(towers) == 2 and pooling is not None:
        raise ModelError(f"{folder} has two towers, which pool by themselves: leave out --pooling")
    if len(towers) == 2:
        vision, text = towers
        photo: PhotoTower | None = photo_tower(source, vision, two_towers=True)
        words: TextTower | None = text_tower(source, text, two_towers=True)
    else:
        photo, words = _one_tower(source, towers[0])
    return _record(source, reference, name or folder.name, variant, photo, words)


def split_variant(variant: str | None) -> tuple[str | None, Pooling | None]:
    """Return the two parts of a variant: which ONNX file, and which pooling."""
    parts = variant.split("+") if variant else []
    pooling = next((each for each in get_args(Pooling) if each in parts and each != "none"), None)
    return next((each for each in parts if each != pooling), None), pooling


def choose_onnx(names: Iterable[str], variant: str | None, where: str) -> tuple[str, ...]:
    """Return which ONNX files to use among the relative paths of a model's files: one, or one for each tower.

    float32 comes first, else a quantized one. Raises `ModelError` where there is none (of the variant).
    """
    there = {name for name in names if name.endswith(".onnx") and re.fullmatch(r"(onnx/)?[^/]+", name)}
    suffixes = _PREFERRED if variant is None else ("" if variant == "fp32" else f"_{variant}",)
    for suffix in suffixes:
        for place in ("onnx/", ""):
            vision, text, one = (
                f"{place}{stem}{suffix}.onnx" for stem in ("vision_model", "text_model", "model")
            )
            if {vision, text} <= there:
                return vision, text
            if one in there and not {f"{place}vision_model.onnx", f"{place}text_model.onnx"} <= there:
                return (one,)
    if len(there) == 1 and variant is None:
        return (there.pop(),)
    wanted = "an ONNX model" if variant is None else f"the variant {variant} of its ONNX model"
    found = ", ".join(sorted(there)) or "no .onnx file"
    raise ModelError(
        f"{where} has {found}; expected {wanted} (onnx/model.onnx, or vision_model and text_model)"
    )


def _of_ours(folder: Path, reference: str) -> ModelRecord:
    """Return the record in a folder that has one, once its ONNX file was looked into as any other."""
    record = read_record(folder, reference)
    for tower in (record.photo, record.text):
        if tower is not None and Source(folder, {}, []).graph(tower.file.path.name).beside:
            raise ModelError(
                f"{tower.file.path} keeps weights in another file, which its record does not have"
            )
    return record


def _listing(folder: Path) -> list[str]:
    paths = [*folder.glob("*.onnx"), *folder.glob("onnx/*.onnx")]
    return [path.relative_to(folder).as_posix() for path in paths]


def _one_tower(source: Source, name: str) -> tuple[PhotoTower | None, TextTower | None]:
    inputs = source.graph(name).inputs
    sees = "pixel_values" in inputs or any(len(each.shape) == 4 for each in inputs.values())
    reads = "input_ids" in inputs
    if sees and reads:
        raise ModelError(
            f"{source.folder / name} takes photos and texts in one run; expected vision_model.onnx and "
            "text_model.onnx beside it"
        )
    if sees:
        return photo_tower(source, name, two_towers=False), None
    if reads:
        return None, text_tower(source, name, two_towers=False)
    raise ModelError(
        f"{source.folder / name} takes {', '.join(inputs) or 'nothing'}; expected pixel_values or input_ids"
    )


def _record(
    source: Source,
    reference: str,
    name: str,
    variant: str | None,
    photo: PhotoTower | None,
    words: TextTower | None,
) -> ModelRecord:
    kind = str(source.model_type or "unnamed")
    return ModelRecord(
        name=f"{name}#{variant}" if variant else name,
        reference=reference,
        model_id=_model_id(photo, words),
        dim=_declared_dim(source, photo, words),
        photo=photo,
        text=words,
        licence=_licence(source.folder),
        description=f"{kind}, from {source.folder.name}",
        note=source.note,
    )


def _model_id(*towers: PhotoTower | TextTower | None) -> str:
    """Return the sha256 of all that decides a vector; where the files lie does not."""
    facts = [tower and _plain(asdict(tower)) for tower in towers]
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _plain(facts: dict[str, Any]) -> dict[str, Any]:
    """Return the facts of a tower without paths, and without what follows from its files or is of the box."""
    if "view" in facts:
        facts["view"].pop("below")
    return {
        key: _sum_of(value) if isinstance(value, dict) and "sha256" in value else value
        for key, value in facts.items()
        if key != "one_by_one"
    }


def _sum_of(file: dict[str, Any]) -> Any:
    beside = [[each["path"].name, each["sha256"]] for each in file["beside"]]
    return [file["sha256"], *beside] if beside else file["sha256"]


def _declared_dim(source: Source, *towers: PhotoTower | TextTower | None) -> int:
    """Return how many numbers the ONNX files declare, 0 where they leave it open."""
    dims: dict[str, int] = {}
    for tower in towers:
        if tower is not None:
            name = tower.file.path.relative_to(source.folder).as_posix()
            shape = source.graph(name).outputs[tower.output_name].shape
            at = 1 if len(shape) == 4 else -1
            dims[name] = shape[at] or 0
    known = {dim for dim in dims.values() if dim}
    if len(known) > 1:
        raise ModelError(f"{source.folder}: the towers give vectors of different lengths: {dims}")
    return known.pop() if known else 0


def _licence(folder: Path) -> str:
    """Return the licence that the model card names in its first lines."""
    try:
        with open_text(folder / "README.md", errors="replace") as file:
            head = file.read(_CARD_BYTES)
    except OSError:
        return "unknown"
    parts = head.split("---", 2)
    found = _LICENCE.search(parts[1]) if head.startswith("---") and len(parts) == 3 else None
    return found.group(1) if found else "unknown"
