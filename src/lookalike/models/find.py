"""Finds the model that a user names: in the box, in a folder, or in a repository."""

from __future__ import annotations

import re
from collections.abc import Callable

from lookalike.errors import UsageError
from lookalike.models.box import CHOICES, bundled_names, load_bundled
from lookalike.models.folder import read_folder
from lookalike.models.recommended import RECOMMENDED
from lookalike.models.record import ModelRecord
from lookalike.user_folders import expanded

_REPOSITORY = re.compile(
    r"(?:hf:)?(?P<repo>[\w][\w.-]*/[\w][\w.-]*)(?:@(?P<revision>[\w./-]+))?(?:#(?P<variant>[\w+]+))?"
)


def find_model(
    wanted: str, *, cached_only: bool = False, on_progress: Callable[[int, int], None] | None = None
) -> ModelRecord:
    """Return the record of a model, fetching it where it is not here yet.

    `wanted` is a choice ("fast", "better", "best"), a bundled or recommended name, a folder, or a repository
    of the Hugging Face Hub as
    `owner/name`, `owner/name@revision` or `hf:owner/name@revision`; `#variant` after a folder or repository
    chooses among several ONNX files (`#quantized`) and poolings (`#cls`, `#fp16+mean`). With `cached_only`
    nothing is fetched; `on_progress` hears how many bytes of how many are there.

    Raises `UsageError` for a name that is none of these, `ModelError` for an unfit model, `FetchError`,
    `MissingExtraError`.
    """
    wanted = CHOICES.get(wanted, wanted)
    if wanted in bundled_names():
        return load_bundled(wanted)
    wanted = next((each.reference for each in RECOMMENDED if each.name == wanted), wanted)
    place, _, variant = wanted.partition("#")
    folder = expanded(place)
    if (
        place
        and not place.startswith("hf:")
        and (folder.is_dir() or re.match(r"[~./\\]|[A-Za-z]:[\\/]", place))
    ):
        folder = folder.resolve()
        return read_folder(folder, f"{folder}#{variant}" if variant else str(folder), variant=variant or None)
    match = _REPOSITORY.fullmatch(wanted)
    if match is None or ".." in wanted:
        raise UsageError(
            f"no model named {wanted!r}; there are {', '.join((*CHOICES, *bundled_names()))}, "
            "those that lookalike models lists, and any owner/name of the Hugging Face Hub or folder with an "
            "ONNX model"
        )
    from lookalike.models.hub import find_in_hub  # HTTP takes time to import

    return find_in_hub(
        match["repo"], match["revision"], match["variant"], cached_only=cached_only, on_progress=on_progress
    )


def with_pooling(wanted: str | None, pooling: str | None) -> str | None:
    """Return the reference of a model that is run with a pooling of the user's: "cls", "mean" or "last".

    Raises `UsageError` where no model is named, or one that came with lookalike.
    """
    if pooling is None:
        return wanted
    if wanted is None:
        raise UsageError("--pooling is that of a model: name it with --model")
    if CHOICES.get(wanted, wanted) in bundled_names():
        raise UsageError(f"{wanted} came with lookalike, which knows its pooling: leave out --pooling")
    wanted = next((each.reference for each in RECOMMENDED if each.name == wanted), wanted)
    return f"{wanted}+{pooling}" if "#" in wanted else f"{wanted}#{pooling}"
