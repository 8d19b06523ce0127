"""A model folder while it is being read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lookalike.errors import ModelError
from lookalike.models.files import MAX_WEIGHTS_BYTES, summed
from lookalike.models.graph import Graph, read_graph
from lookalike.models.record import ModelFile, Pooling


@dataclass(slots=True)
class Source:
    """A model folder being read: recorded sha256s by relative path, and the names that it is known by."""

    folder: Path
    config: dict[str, Any]
    names: list[str]
    sums: Mapping[str, str] = field(default_factory=dict)
    pooling: Pooling | None = None
    """How the user wants tokens to become one vector, whatever the files say."""
    note: str = ""
    """What the files leave open, and what is done about it."""

    @property
    def model_type(self) -> str:
        """The architecture, such as "clip"."""
        return str(self.config.get("model_type", ""))

    def file(self, name: str) -> ModelFile:
        """Return one of its files; raises `ModelError` when it is missing or too large."""
        return summed(self.folder / name, self.sums.get(name))

    def onnx(self, name: str) -> ModelFile:
        """Return an ONNX file and those that it takes weights from; raises `ModelError` for unfit ones."""
        beside = []
        top, path = self.folder.resolve(), self.folder / name
        for each in sorted(self.graph(name).beside):
            weights = path.with_name(each)
            relative = weights.relative_to(self.folder)
            if (
                path.resolve() != top / name or weights.resolve() != top / relative
            ):  # ONNX Runtime follows links
                raise ModelError(f"{weights} leads out of its folder; expected files there, not links")
            beside.append(summed(weights, self.sums.get(relative.as_posix()), MAX_WEIGHTS_BYTES))
        return replace(self.file(name), beside=tuple(beside))

    def graph(self, name: str) -> Graph:
        """Return what an ONNX file says of itself; raises `ModelError` when it cannot be used."""
        path = self.folder / name
        graph = read_graph(path)
        if graph.external:
            raise ModelError(
                f"{path} keeps weights in another file, and not as an exporter does: expected one with a "
                f"plain name "
                "beside it, such as model.onnx_data"
            )
        if graph.foreign:
            raise ModelError(
                f"{path} needs operators that ONNX Runtime lacks: {', '.join(sorted(graph.foreign))}"
            )
        return graph
