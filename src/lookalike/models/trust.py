"""Which models the user of this machine has agreed to run, of those that did not come with lookalike.

A collection says which model made its vectors, and whoever made the collection wrote that. A model is
fetched, opened and run only where a user here has named it once; that is kept, with what the model was then::

    <user data>/lookalike/trusted-models.json    {"hf:owner/name@<commit>": [model_id, …], "/a/folder": …}

LOOKALIKE_TRUSTED names another file. Whatever is wrong with it, models are only asked for again.
"""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

from lookalike.durable import written_whole
from lookalike.errors import ModelError, StorageError, UntrustedModelError
from lookalike.models.files import read_json
from lookalike.user_folders import expanded, user_data_folder


def trusted_file() -> Path:
    """Return where agreements are kept."""
    if place := os.environ.get("LOOKALIKE_TRUSTED"):
        return expanded(place)
    folder = user_data_folder("agreements to models are kept: name another file by LOOKALIKE_TRUSTED")
    return folder / "trusted-models.json"


def is_trusted(reference: str, model_id: str) -> bool:
    """Whether the user has agreed to run a model, as it is with this sha256 of all that decides a vector."""
    return model_id in _read()[0].get(reference, [])


def is_named(reference: str) -> bool:
    """Whether the user has named a model, whatever it was then."""
    return reference in _read()[0]


def trust(reference: str, model_id: str) -> None:
    """Keep that the user has agreed to run a model; raises `StorageError` where that cannot be written."""
    known, _ = _read()
    if model_id in known.get(reference, []):
        return
    known.setdefault(reference, []).append(model_id)
    file = trusted_file()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(file) as new:
            new.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{file} cannot be written: {error.strerror or error}") from error


def refusal(reference: str) -> UntrustedModelError:
    """Return why a model that a collection names is not run, and how to agree to it."""
    known, problem = _read()
    kind = "a repository" if reference.startswith("hf:") else "a folder"
    other = " and has changed since you named it" if reference in known else ""
    return UntrustedModelError(
        f"this collection was made with the model {reference} ({kind}), which did not come with lookalike"
        f"{other}; if you trust it, name it once: lookalike models trust {shlex.quote(reference)}"
        + (f" ({problem})" if problem else "")
    )


def _read() -> tuple[dict[str, list[str]], str | None]:
    """Return the model ids of each reference, and what is wrong with the file."""
    file = trusted_file()
    try:
        facts = read_json(file)
    except ModelError as error:
        return {}, str(error)
    known = {
        reference: ids
        for reference, ids in facts.items()
        if isinstance(ids, list) and all(isinstance(each, str) for each in ids)
    }
    return known, None if len(known) == len(facts) else f"{file} is damaged"
