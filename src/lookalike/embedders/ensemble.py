"""Runs the photo models in the box: one network or several, which look at a photo once or twice.

The vectors of all, of unit length times the roots of their weights, stand one behind the other, so that the
cosine of what comes out is the weighted mean of their cosines.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt

import numpy as np
import numpy.typing as npt

from lookalike.embedders import EmbedderSpec, TextEmbedder
from lookalike.embedders.batches import Batches
from lookalike.embedders.conse import ConseEmbedder
from lookalike.embedders.session import open_session, runs_on_gpu
from lookalike.embedders.vectors import unit_length
from lookalike.models import ModelRecord
from lookalike.models.words import ClassNames
from lookalike.records import Vectors

_Pixels = npt.NDArray[np.uint8]
_Floats = npt.NDArray[np.float32]
_Weighted = tuple[float, _Floats]


class EnsembleEmbedder:
    """Networks whose class scores, together, also give the vectors of the space that takes words.

    The sessions are shared by as many threads as there are cores; each takes its photos through all networks.
    Raises `ModelError` where a file cannot be run.
    """

    def __init__(
        self,
        record: ModelRecord,
        threads: int,
        device: str,
        names: ClassNames,
        texts: Callable[[], TextEmbedder],
    ) -> None:
        assert record.photo is not None and record.parts  # the caller has looked
        self._parts = record.parts
        self._sessions = [open_session(record.name, part.tower.file, device) for part in record.parts]
        self.batches = Batches(threads, on_gpu=all(map(runs_on_gpu, self._sessions)))
        self.spec = EmbedderSpec(
            record.name, record.model_id, record.photo.view, record.dim, "photo", record.reference
        )
        self.companion = ConseEmbedder(self, names, texts)

    def embed(self, pixels: _Pixels) -> Vectors:
        """Return unit-length vectors `(n, dim)` of RGB `pixels` `(n, height, width, 3)`."""
        return np.concatenate(self.batches.run(lambda some: self._run(some, scored=False)[0], pixels))

    def embed_pair(self, pixels: _Pixels) -> tuple[Vectors, Vectors]:
        """Return the vectors of both spaces, `(n, dim)` each, of RGB `pixels` `(n, height, width, 3)`."""
        run = self.batches.run(lambda some: self._run(some, scored=True), pixels)
        rows, scores = (np.concatenate([each[at] for each in run]) for at in (0, 1))
        return rows, self.companion.of_scores(scores)

    def _run(self, pixels: _Pixels, *, scored: bool) -> tuple[Vectors, _Floats]:
        """Return unit-length vectors, and the class scores where they are wanted."""
        rows: list[_Weighted] = []
        scores: list[_Weighted] = []
        top = 0
        for part, session in zip(self._parts, self._sessions, strict=True):
            tower, looks = part.tower, list[_Weighted]()
            outputs = [tower.output_name, *([str(tower.scores_name)] if scored else [])]
            for view, (_, weight) in zip(part.views, part.looks, strict=True):
                square = np.ascontiguousarray(pixels[:, top : top + view.size, : view.size])
                top += view.size
                seen, *classes = session.run(outputs, {tower.input_name: square})
                looks.append((weight, unit_length(seen[:, : part.numbers])))
                scores += [(part.weight * weight, np.asarray(each, np.float32)) for each in classes]
            rows.append((part.weight, looks[0][1] if len(looks) == 1 else unit_length(_sum(looks))))
        if len(rows) == 1:
            vectors = rows[0][1]
        else:
            vectors = unit_length(np.hstack([np.float32(sqrt(weight)) * each for weight, each in rows]))
        return vectors, _mean(scores) if scored else np.empty(0, np.float32)


def _sum(weighted: list[_Weighted]) -> _Floats:
    total = np.float32(weighted[0][0]) * weighted[0][1]
    for weight, each in weighted[1:]:
        total += np.float32(weight) * each
    return total


def _mean(weighted: list[_Weighted]) -> _Floats:
    if len(weighted) == 1:
        return weighted[0][1]
    return _sum(weighted) / np.float32(sum(weight for weight, _ in weighted))
