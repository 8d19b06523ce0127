"""Reads the files of a model folder, which a stranger may have written: limits first, and nothing is run."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

from lookalike.errors import ModelError
from lookalike.files import check_file, open_bytes
from lookalike.models.record import ModelFile

MAX_ONNX_BYTES = (2 << 30) - 1  # what Protocol Buffers allow; larger ones keep their weights in another file
MAX_WEIGHTS_BYTES = 16 << 30  # of a file beside an ONNX file
MAX_TOKENIZER_BYTES = 64 << 20
MAX_JSON_BYTES = 4 << 20

_known_sums: dict[tuple[str, int, int, int], str] = {}  # of this process, by path, size, time and inode


def max_bytes(name: str) -> int:
    """Return how large a file of this name may be."""
    if name.endswith(".onnx"):
        return MAX_ONNX_BYTES
    if is_weights(name):
        return MAX_WEIGHTS_BYTES
    return MAX_TOKENIZER_BYTES if name.rsplit("/", 1)[-1] == "tokenizer.json" else MAX_JSON_BYTES


def check_size(path: Path | str, size: int, limit: int) -> None:
    """Raise `ModelError` for a file that is larger than its kind ever is."""
    if size > limit:
        raise ModelError(f"{path} has {size:,} bytes; at most {limit:,} are read")


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a file, or {} where there is none; raises `ModelError` for anything else."""
    facts = _parsed(path, {})
    if not isinstance(facts, dict):
        raise ModelError(f"{path} holds {type(facts).__name__}, expected an object")
    return facts


def read_json_list(path: Path) -> list[dict[str, Any]]:
    """Return the list of objects in a file, or [] where there is none; raises as `read_json`."""
    facts = _parsed(path, [])
    if not isinstance(facts, list) or not all(isinstance(each, dict) for each in facts):
        raise ModelError(f"{path} holds something else than a list of objects")
    return facts


def _parsed(path: Path, missing: Any) -> Any:
    """Return what a file of JSON holds, or `missing` where there is none."""
    try:
        with open_bytes(path) as file:
            check_size(path, os.fstat(file.fileno()).st_size, max_bytes(path.name))
            return json.loads(file.read().decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return missing
    except OSError as error:
        raise ModelError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not JSON that can be read: {error}") from error


def is_weights(name: str) -> bool:
    """Whether a file keeps weights of an ONNX file beside it, by its name as the usual exporters give it."""
    return re.search(r"\.onnx[._]data(_\d+)?$", name) is not None


def summed(path: Path, recorded: str | None = None, limit: int | None = None) -> ModelFile:
    """Return a file with its sha256: the recorded one, which is checked when it is used, or what it has now.

    It may have `limit` bytes, by default as many as its kind.

    Raises `ModelError` when it is missing, no plain file, empty or too large.
    """
    try:
        facts = check_file(path)
        check_size(path, facts.st_size, limit or max_bytes(path.name))
        if recorded is not None:
            return ModelFile(path, recorded)
        key = (str(path.resolve()), facts.st_size, facts.st_mtime_ns, facts.st_ino)
        if key not in _known_sums:
            with open_bytes(path) as file:
                _known_sums[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return ModelFile(path, _known_sums[key])
    except OSError as error:
        raise ModelError(f"cannot read the model file {path}: {error.strerror or error}") from error
