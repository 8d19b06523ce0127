"""What is known of a model: its file, what it wants to see and what it gives."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from lookalike.errors import ModelError
from lookalike.records import View


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """One photo model.

    The file takes `input_name`, uint8 RGB 0–255 of shape `(n, view.size, view.size, 3)`, and gives
    `embedding_name`, float32 of shape `(n, dim)`, not yet of unit length.
    """

    name: str
    path: Path
    sha256: str
    view: View
    input_name: str
    embedding_name: str
    dim: int
    licence: str
    description: str

    def read_bytes(self) -> bytes:
        """Return the model file's bytes, checked against the recorded sha256.

        Raises `ModelError` when the file is missing or is not the recorded one.
        """
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise ModelError(f"model {self.name}: cannot read {self.path}: {error.strerror}") from error
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise ModelError(
                f"model {self.name}: {self.path} has sha256 {found[:12]}…, expected {self.sha256[:12]}…; "
                "reinstall lookalike"
            )
        return content


def read_record(folder: Path) -> ModelRecord:
    """Read `record.json` in `folder`; raises `ModelError` when it is missing or unfit."""
    try:
        facts = json.loads((folder / "record.json").read_text(encoding="utf-8"))
        source = facts["input"]
        if (source["dtype"], source["layout"]) != ("uint8", "NHWC"):
            raise ModelError(
                f"model {facts['name']}: input {source['dtype']} {source['layout']} is not supported"
            )
        return ModelRecord(
            name=facts["name"],
            path=folder / facts["file"],
            sha256=facts["sha256"],
            view=View(source["size"], source["fraction"], source["resample"].upper()),
            input_name=source["name"],
            embedding_name=facts["outputs"]["embedding"],
            dim=facts["dim"],
            licence=facts["licence"],
            description=facts["description"],
        )
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{folder} holds no readable model record: {error}") from error
