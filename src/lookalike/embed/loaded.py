"""The models in use: each loaded once, when it is first needed."""

from __future__ import annotations

import threading
from functools import partial

from lookalike.embed import (
    COMPANION,
    CompanionEmbedder,
    Embedder,
    PairedEmbedder,
    TextEmbedder,
    WordsEmbedder,
)
from lookalike.errors import LookalikeError
from lookalike.records import OnStep, Space

AnyEmbedder = Embedder | TextEmbedder


class LoadedEmbedders:
    """What runs the models that a collection's spaces refer to, on `device`; may be used by several threads.

    `given` stands for the model of the space of its name, and of any space that has no model.
    """

    def __init__(self, given: AnyEmbedder | None = None, device: str = "auto") -> None:
        self.given = given
        self._device = device
        self._loaded: dict[str, AnyEmbedder] = {}
        self._lock = threading.RLock()

    def load(self, reference: str, on_step: OnStep | None = None) -> AnyEmbedder:
        """Return what runs a model: a bundled name, a repository or a folder (see `records.Space`).

        `on_step("fetching the model", done, total)` hears of bytes where it is fetched.
        """
        with self._lock:
            if reference.startswith(COMPANION):
                photos = self.load(reference.removeprefix(COMPANION))
                assert isinstance(photos, PairedEmbedder)  # its reference says so
                return photos.companion
            if reference not in self._loaded:
                from lookalike.embed.load import load_embedder  # ONNX Runtime is slow to import

                heard = partial(on_step, "fetching the model") if on_step else None
                self._loaded[reference] = load_embedder(reference, self._device, on_progress=heard)
            return self._loaded[reference]

    def of(self, space: Space) -> AnyEmbedder | None:
        """Return what runs the model of a space; None where it has none."""
        given = self._given_for(space)
        if given is None and space.reference:
            return self.load(space.reference)
        return given

    def take_words(self, space: Space) -> bool:
        """Whether a space can be searched by words."""
        given = self._given_for(space)
        if given is not None:
            return isinstance(given, WordsEmbedder)
        if not space.reference or space.kind == "text" or space.reference.startswith(COMPANION):
            return bool(space.reference)
        from lookalike.models.find import find_model

        try:
            record = find_model(space.reference, cached_only=True)
        except LookalikeError:  # its files are gone: searching says so
            return False
        return record.text is not None

    def _given_for(self, space: Space) -> AnyEmbedder | CompanionEmbedder | None:
        given = self.given
        if given is not None and isinstance(given, PairedEmbedder) and space.reference.startswith(COMPANION):
            return given.companion
        if given is not None and (given.spec.name == space.name or not space.reference):
            return given
        return None
