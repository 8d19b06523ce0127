"""What is known of a model: its files, what it wants to see or read, and what it gives."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from lookalike.errors import ModelError
from lookalike.files import open_bytes, read_bytes, read_text
from lookalike.records import Kind, View

Pooling = Literal["none", "cls", "mean", "last"]
"""How `(n, tokens, dim)` becomes `(n, dim)`: the first token, the mean of the unmasked tokens or the last
unmasked one. With "none" the output is `(n, dim)` already."""


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A file of a model, and the sha256 that it must have.

    `beside` are files in its folder that it takes weights from, by their plain names.
    """

    path: Path
    sha256: str
    beside: tuple[ModelFile, ...] = ()

    def read_bytes(self) -> bytes:
        """Return its bytes; raises `ModelError` when it is missing or is not the recorded one."""
        try:
            content = read_bytes(self.path)
        except OSError as error:
            raise ModelError(f"cannot read the model file {self.path}: {error.strerror}") from error
        self._compare(hashlib.sha256(content).hexdigest())
        return content

    def verify(self) -> None:
        """Raise `ModelError` when it is missing or is not the recorded one, without holding it in memory."""
        try:
            with open_bytes(self.path) as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelError(f"cannot read the model file {self.path}: {error.strerror}") from error
        self._compare(found)
        for each in self.beside:
            each.verify()

    def _compare(self, found: str) -> None:
        if found != self.sha256:
            raise ModelError(
                f"the model file {self.path} has sha256 {found[:12]}…, expected {self.sha256[:12]}…; "
                "install or download it again"
            )


@dataclass(frozen=True, slots=True)
class Pixels:
    """How RGB 0–255 becomes float32 `(n, 3, size, size)` for a network: `(x · scale − mean) / std`."""

    scale: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class PhotoTower:
    """What turns photos into vectors, not yet of unit length.

    The file takes `input_name`: with `pixels` None, uint8 RGB 0–255 `(n, size, size, 3)`. It gives
    `output_name`, pooled by `pooling`; `scores_name` is an output with the scores of 1,000 ImageNet classes.
    """

    file: ModelFile
    view: View
    input_name: str
    output_name: str
    pixels: Pixels | None = None
    pooling: Pooling = "none"
    scores_name: str | None = None
    one_by_one: bool = False
    """Whether photos are run one at a time, since what comes out depends on the others in a batch."""


@dataclass(frozen=True, slots=True)
class PhotoPart:
    """What one network gives to the vectors of several together.

    The first `numbers` of what `tower` gives for each look count, made of unit length. A look is the share of
    the tower's square, about its centre, that is seen, and its weight. The part's own `weight` is that of its
    cosine in the cosine of all.
    """

    tower: PhotoTower
    numbers: int
    weight: float = 1.0
    looks: tuple[tuple[float, float], ...] = ((1.0, 1.0),)

    @property
    def views(self) -> tuple[View, ...]:
        """How each look wants to see a photo."""
        view = self.tower.view
        return tuple(replace(view, fraction=view.fraction * share) for share, _ in self.looks)


@dataclass(frozen=True, slots=True)
class TextTower:
    """What turns texts into vectors, not yet of unit length.

    `tokenizer` is a `vocab.txt` for "wordpiece" (BERT's, uncased) or a `tokenizer.json` for "tokenizers".
    `inputs` are the names among input_ids, attention_mask, token_type_ids, position_ids that the file takes.
    No more than `max_tokens` are read, special ones included; with `pad_to_max` every text is padded to them.
    `query_prefix` is put before words of a query, `text_prefix` before texts.
    """

    file: ModelFile
    tokenizer: ModelFile
    tokenizer_kind: Literal["wordpiece", "tokenizers"]
    inputs: tuple[str, ...]
    output_name: str
    pooling: Pooling
    max_tokens: int
    pad_to_max: bool = False
    pad_id: int = 0
    query_prefix: str = ""
    text_prefix: str = ""
    lower_case: bool = False
    """Whether texts are made lower-case first, where the tokenizer's file does not say so itself."""
    end_id: int | None = None
    """The token that must come last, where the tokenizer's file does not put it there itself."""
    one_by_one: bool = False
    """Whether texts are run one at a time, since what comes out depends on the others in a batch."""


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """One model: of photos, of texts, or with a tower for each that share one space.

    `model_id` is the sha256 of all that decides a vector; `reference` is how it is found again.
    """

    name: str
    reference: str
    model_id: str
    dim: int
    photo: PhotoTower | None
    text: TextTower | None
    licence: str
    description: str
    note: str = ""
    """What the user should know of how it is run: what its files leave open."""
    parts: tuple[PhotoPart, ...] = ()
    """The networks of a model in the box that also give class scores, which words need; `photo` is the first,
    with a view that holds the squares of all."""

    @property
    def kind(self) -> Kind:
        """What the items are that it embeds; one with both towers embeds photos."""
        return "text" if self.photo is None else "photo"


def read_record(folder: Path, reference: str | None = None) -> ModelRecord:
    """Read `record.json` in `folder`; raises `ModelError` when it is missing or unfit."""
    try:
        facts = json.loads(read_text(folder / "record.json"))
        is_photo = facts["kind"] == "photo"
        parts = _parts(folder, facts) if is_photo else ()
        return ModelRecord(
            name=facts["name"],
            reference=reference or facts["name"],
            model_id=facts.get("model_id") or facts["sha256"],
            dim=facts["dim"],
            photo=_sheet(parts) if "networks" in facts else _photo_tower(folder, facts) if is_photo else None,
            text=None if is_photo else _text_tower(facts, _file(folder, facts), folder),
            licence=facts["licence"],
            description=facts["description"],
            parts=parts,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder} holds no readable model record: {error}") from error


def _parts(folder: Path, facts: dict[str, Any]) -> tuple[PhotoPart, ...]:
    """Return the networks with class scores: those that a record names, which lie beside it, or its own."""
    if "networks" not in facts:
        own = _photo_tower(folder, facts)
        return () if own.scores_name is None else (PhotoPart(own, facts["dim"]),)
    return tuple(_part(folder.parent / _plain(folder, each["network"]), each) for each in facts["networks"])


def _part(folder: Path, stated: dict[str, Any]) -> PhotoPart:
    tower = _photo_tower(folder, json.loads(read_text(folder / "record.json")))
    looks = tuple((each["share"], each["weight"]) for each in stated["looks"])
    return PhotoPart(replace(tower, output_name=stated["output"]), stated["numbers"], stated["weight"], looks)


def _sheet(parts: tuple[PhotoPart, ...]) -> PhotoTower:
    """Return the first tower with a view that holds the squares of all."""
    first, *others = (view for part in parts for view in part.views)
    return replace(parts[0].tower, view=replace(first, below=tuple(others)))


def _plain(folder: Path, name: str) -> str:
    if Path(name).name != name:
        raise ModelError(f"{folder / 'record.json'} names a file outside its folder: {name}")
    return name


def _file(folder: Path, facts: dict[str, Any]) -> ModelFile:
    return ModelFile(folder / _plain(folder, facts["file"]), facts["sha256"])


def _photo_tower(folder: Path, facts: dict[str, Any]) -> PhotoTower:
    source, outputs = facts["input"], facts["outputs"]
    if (source["dtype"], source["layout"]) != ("uint8", "NHWC"):
        raise ModelError(
            f"model {facts['name']}: input {source['dtype']} {source['layout']} is not supported"
        )
    fit = source.get("fit", "crop")
    view = View(
        source["size"], source["fraction"], source["resample"].upper(), fit, source.get("short_side", 0)
    )
    return PhotoTower(
        _file(folder, facts), view, source["name"], outputs["embedding"], scores_name=outputs.get("scores")
    )


def _text_tower(facts: dict[str, Any], file: ModelFile, folder: Path) -> TextTower:
    tokenizer = facts["tokenizer"]
    return TextTower(
        file,
        _file(folder, tokenizer),
        tokenizer["kind"],
        tuple(facts["inputs"]),
        facts["outputs"]["embedding"],
        facts["pooling"],
        facts["max_tokens"],
    )
