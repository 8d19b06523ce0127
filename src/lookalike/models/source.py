"""A model folder while it is being read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lookalike.errors import ModelError
from lookalike.models.files import summed
from lookalike.models.graph import Graph, read_graph
from lookalike.models.record import ModelFile


@dataclass(slots=True)
class Source:
    """A model folder being read: recorded sha256s by relative path, and the names that it is known by."""

    folder: Path
    config: dict[str, Any]
    names: list[str]
    sums: Mapping[str, str] = field(default_factory=dict)

    @property
    def model_type(self) -> str:
        """The architecture, such as "clip"."""
        return str(self.config.get("model_type", ""))

    def file(self, name: str) -> ModelFile:
        """Return one of its files; raises `ModelError` when it is missing or too large."""
        return summed(self.folder / name, self.sums.get(name))

    def graph(self, name: str) -> Graph:
        """Return what an ONNX file says of itself; raises `ModelError` when it cannot be used."""
        path = self.folder / name
        graph = read_graph(path)
        if graph.external:
            raise ModelError(f"{path} keeps weights in another file; expected a single-file ONNX model")
        if graph.foreign:
            raise ModelError(
                f"{path} needs operators that ONNX Runtime lacks: {', '.join(sorted(graph.foreign))}"
            )
        return graph
