"""Models from the Hugging Face Hub, pinned to a commit and kept on this machine.

::

    <user data>/lookalike/models/<owner>--<name>/refs.json        which commit "main" was when first asked
    …/<owner>--<name>/<commit>/lookalike.json                     the sha256 of each file
    …/<owner>--<name>/<commit>/config.json …                      the files, as in the repository

Once fetched, a model is found without asking anyone. LOOKALIKE_MODELS names another place, HF_ENDPOINT
another server, HF_TOKEN what is shown to it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from lookalike.errors import FetchError, ModelError, StorageError
from lookalike.models.download import Client, Download
from lookalike.models.files import check_size, is_weights, max_bytes, read_json
from lookalike.models.folder import choose_onnx, read_folder, split_variant
from lookalike.models.record import ModelRecord
from lookalike.user_folders import expanded, user_data_folder

Progress = Callable[[int, int], None]
"""Hears how many bytes are there, and how many there will be."""

_BESIDE = (
    "config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "modules.json",
    "1_Pooling/config.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_MANIFEST = "lookalike.json"
_REFS = "refs.json"


def models_folder() -> Path:
    """Return where fetched models are kept."""
    if place := os.environ.get("LOOKALIKE_MODELS"):
        return expanded(place)
    return user_data_folder("models are kept: name another place by LOOKALIKE_MODELS") / "models"


def find_in_hub(
    repository: str,
    revision: str | None = None,
    variant: str | None = None,
    *,
    cached_only: bool = False,
    on_progress: Progress | None = None,
) -> ModelRecord:
    """Return the record of a model of the Hub, fetching it where it is not here yet.

    Without a revision, the one that was fetched first holds; else what "main" is now. Raises `FetchError`,
    `StorageError`, and `ModelError` for an unfit model or, with `cached_only`, for one that is not here.
    """
    home = models_folder() / repository.replace("/", "--")
    asked = revision or "main"
    commit = asked if _COMMIT.fullmatch(asked) else read_json(home / _REFS).get(asked)
    if isinstance(commit, str) and _is_here(home / commit, variant):
        return _read(home / commit, repository, commit, variant)
    if cached_only or os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0"):
        raise ModelError(
            f"the model {repository} is not on this machine; to fetch it: lookalike models add {repository}"
        )
    with _locked(home):
        refs = read_json(home / _REFS)
        commit = commit or refs.get(asked)  # another process may have fetched it meanwhile
        if not commit or not _is_here(home / commit, variant):
            report = on_progress or (lambda _there, _all: None)
            commit = _fetch(home, repository, commit or asked, variant, report)
            _write(home / _REFS, {**refs, asked: commit})
    return _read(home / commit, repository, commit, variant)


def fetched() -> list[tuple[str, str, int]]:
    """Return repository, commit and bytes of the models that are here, sorted."""
    found = []
    for path in models_folder().glob(f"*/*/{_MANIFEST}"):
        with suppress(ModelError):
            facts = read_json(path)
            size = sum(each.stat().st_size for each in path.parent.rglob("*") if each.is_file())
            found.append((str(facts.get("repository")), path.parent.name, size))
    return sorted(found)


def _is_here(folder: Path, variant: str | None) -> bool:
    """Whether a commit was fetched with the ONNX files that are wanted."""
    files = read_json(folder / _MANIFEST).get("files")
    if not isinstance(files, dict) or not all((folder / name).is_file() for name in files):
        return False
    try:
        choose_onnx(files, split_variant(variant)[0], str(folder))
    except ModelError:
        return False
    return True


def _read(folder: Path, repository: str, commit: str, variant: str | None) -> ModelRecord:
    facts = read_json(folder / _MANIFEST)
    reference = f"hf:{repository}@{commit}" + (f"#{variant}" if variant else "")
    record = read_folder(folder, reference, name=repository, variant=variant, sums=facts["files"])
    return replace(record, licence=str(facts.get("licence", "unknown")))


def _fetch(home: Path, repository: str, revision: str, variant: str | None, on_progress: Progress) -> str:
    """Fetch what is wanted of a repository, and return its commit; what is unfit leaves nothing behind."""
    client = Client(os.environ.get("HF_TOKEN") or None)
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    address = f"{endpoint}/api/models/{repository}/revision/{quote(revision, safe='')}?blobs=true"
    facts = client.json(address, f"the model {repository}")
    commit = str(facts.get("sha", ""))
    if not _COMMIT.fullmatch(commit) or (_COMMIT.fullmatch(revision) and commit != revision):
        raise FetchError(
            f"the model {repository}: {endpoint} answered for commit {commit[:40]!r}, not {revision}"
        )
    wanted = _wanted(facts, f"{endpoint}/{repository}/resolve/{commit}/", repository, variant)
    folder = home / commit
    is_new = not (folder / _MANIFEST).exists()
    total = sum(each.size for each in wanted)
    _check_room(home, total)
    there = 0

    def count(more: int) -> None:
        nonlocal there
        there += more
        on_progress(there, total)

    sums = {
        each.name: client.fetch(each, folder, count) for each in sorted(wanted, key=lambda each: each.size)
    }
    known = read_json(folder / _MANIFEST).get("files", {})
    licence = _licence(facts)
    _write(
        folder / _MANIFEST,
        {"repository": repository, "revision": commit, "licence": licence, "files": {**known, **sums}},
    )
    try:
        _read(folder, repository, commit, variant)
    except ModelError:
        if is_new:
            shutil.rmtree(folder, ignore_errors=True)
        raise
    return commit


def _wanted(facts: dict[str, Any], address: str, repository: str, variant: str | None) -> list[Download]:
    """Return the files to fetch out of those that a repository lists; raises `ModelError` for unfit ones."""
    listed = {each["rfilename"]: each for each in facts.get("siblings") or () if isinstance(each, dict)}
    chosen = choose_onnx(listed, split_variant(variant)[0], f"the model {repository}")
    weights = [
        name for name in sorted(listed) if is_weights(name) and name[: name.rindex(".onnx") + 5] in chosen
    ]
    return [_one_wanted(listed[name], address) for name in (*_BESIDE, *chosen, *weights) if name in listed]


def _one_wanted(facts: dict[str, Any], address: str) -> Download:
    name, size, large = facts["rfilename"], facts.get("size"), facts.get("lfs")
    sha256 = large.get("sha256") if isinstance(large, dict) else None
    blob_id = facts.get("blobId")
    if not isinstance(size, int) or size < 0 or not (isinstance(sha256, str) or isinstance(blob_id, str)):
        raise FetchError(f"{address}{name}: its size and checksum are not announced")
    check_size(name, size, max_bytes(name))
    return Download(name, address + quote(name), size, sha256, blob_id)


def _licence(facts: dict[str, Any]) -> str:
    card = facts.get("cardData")
    named = card.get("license_name") or card.get("license") if isinstance(card, dict) else None
    return str(named or "unknown")


def _check_room(home: Path, size: int) -> None:
    free = shutil.disk_usage(home).free
    if size > free:
        raise StorageError(f"{home} has {free >> 20:,} MiB free, the model needs {size >> 20:,} MiB")


def _write(path: Path, facts: dict[str, Any]) -> None:
    """Write a small file, whole or not at all."""
    new = path.with_name(f"{path.name}.part")
    try:
        with new.open("w", encoding="utf-8") as file:
            json.dump(facts, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror or error}") from error


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Let one process at a time fetch a model, so that none writes into what another one is fetching."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        file = (home / ".lock").open("w")
    except OSError as error:
        raise StorageError(f"{home} cannot be written: {error.strerror or error}") from error
    with file:
        try:
            import fcntl
        except ImportError:  # Windows: a second one that writes at once is found out by the checksums
            pass
        else:
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
