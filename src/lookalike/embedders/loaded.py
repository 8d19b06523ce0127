"""The models in use: each loaded once, when it is first needed."""

from __future__ import annotations

import logging
import threading
from functools import partial
from typing import NoReturn

from lookalike.embedders import (
    COMPANION,
    CompanionEmbedder,
    Embedder,
    PairedEmbedder,
    TextEmbedder,
    WordsEmbedder,
)
from lookalike.errors import LookalikeError, ModelMismatchError, StorageError
from lookalike.models import bundled_names
from lookalike.models.trust import is_named, is_trusted, refusal, trust
from lookalike.records import OnStep, Space

AnyEmbedder = Embedder | TextEmbedder

_LOG = logging.getLogger(__name__)


class LoadedEmbedders:
    """What runs the models that a collection's spaces refer to, on `device`; may be used by several threads.

    `given` stands for the model of the space of its name, and of any space that has no model. A model that
    did not come with lookalike is run when the user names it, as `named` or to `load`; once that was done,
    here or in an earlier run, a space may refer to it, too.
    """

    def __init__(
        self, given: AnyEmbedder | None = None, device: str = "auto", named: str | None = None
    ) -> None:
        self.given = given
        self._device = device
        self._named = named
        self._loaded: dict[str, AnyEmbedder] = {}
        self._lock = threading.RLock()

    def load(self, reference: str, on_step: OnStep | None = None) -> AnyEmbedder:
        """Return what runs a model that the user names: a bundled name, a repository or a folder.

        `on_step("fetching the model", done, total)` hears of bytes where it is fetched.
        """
        with self._lock:
            if reference not in self._loaded:
                embedder = self._run(reference, on_step=on_step)
                self._loaded[reference] = self._loaded[embedder.spec.reference] = embedder
                if embedder.spec.reference not in bundled_names():
                    _remember(embedder)
            return self._loaded[reference]

    def of(self, space: Space) -> AnyEmbedder | CompanionEmbedder | None:
        """Return what runs the model of a space; None where it has none.

        Raises `UntrustedModelError`, and `ModelMismatchError` where the model is another one by now.
        """
        given = self._given_for(space)
        if given is not None or not space.reference:
            return given
        photos = space.reference.removeprefix(COMPANION)
        with self._lock:
            if photos == space.reference:
                return self.load(photos) if photos in bundled_names() else self._brought(space)
            embedder = self.load(photos) if photos in bundled_names() else None  # no other one fills two
        if not isinstance(embedder, PairedEmbedder):
            raise ModelMismatchError(f"the space {space.name} names {photos}, which fills no second space")
        return embedder.companion

    def _brought(self, space: Space) -> AnyEmbedder:
        """Return what runs a model that did not come with lookalike, if the user has agreed to it."""
        reference = space.reference
        if reference not in self._loaded and not is_trusted(reference, space.model_id):
            if self._named is not None:
                self.load(self._named)
            if reference not in self._loaded:
                self._refuse(space)
        if reference not in self._loaded:
            self._loaded[reference] = self._run(reference, space.model_id)
        return self._loaded[reference]

    def _run(self, reference: str, model_id: str | None = None, on_step: OnStep | None = None) -> AnyEmbedder:
        from lookalike.embedders.load import load_embedder  # ONNX Runtime is slow to import

        heard = partial(on_step, "fetching the model") if on_step else None
        return load_embedder(reference, self._device, on_progress=heard, model_id=model_id)

    def _refuse(self, space: Space) -> NoReturn:
        """Say why a model is not run; one that the user has named is looked into first."""
        reference = space.reference
        if is_named(reference):
            from lookalike.embedders.load import check_state  # as above
            from lookalike.models.find import find_model

            check_state(find_model(reference), space.model_id)
        raise refusal(reference)

    def check_trusted(self, space: Space) -> None:
        """Raise `UntrustedModelError` where a space has a model that the user has not agreed to."""
        if self._is_unknown(space):
            self._refuse(space)

    def _is_unknown(self, space: Space) -> bool:
        reference = space.reference
        return (
            self._given_for(space) is None
            and bool(reference)
            and not reference.startswith(COMPANION)
            and reference not in self._loaded
            and reference not in bundled_names()
            and not is_trusted(reference, space.model_id)
        )

    def take_words(self, space: Space) -> bool:
        """Whether a space can be searched by words."""
        given = self._given_for(space)
        if given is not None:
            return isinstance(given, WordsEmbedder)
        if not space.reference or space.kind == "text" or space.reference.startswith(COMPANION):
            return bool(space.reference)
        if self._is_unknown(space):  # its files are not looked into
            return False
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


def _remember(embedder: AnyEmbedder) -> None:
    """Keep that the user has named a model; where that fails, it is asked for in the next run."""
    try:
        trust(embedder.spec.reference, embedder.spec.model_id)
    except StorageError as error:
        _LOG.warning("that you named the model %s is not remembered: %s", embedder.spec.reference, error)
