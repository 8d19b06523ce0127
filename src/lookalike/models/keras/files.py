"""Looks into the files of Keras before Keras reads them; runs only in the conversion's own process.

Keras builds what a file's JSON names. Only its own layers are let through, none that carries code (Lambda) or
loads other files, and HDF5 may not point outside itself. Nothing here is a pickle.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from lookalike.errors import ModelError
from lookalike.files import check_file
from lookalike.models.keras.wire import SUFFIXES

_CODE = {"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}
_MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}
_LARGEST_CONFIG = 64 << 20


def check_model_file(path: Path) -> None:
    """Raise `ModelError` where a file is no Keras model, or one that may do more than compute."""
    check_file(path)
    if path.suffix == ".keras":  # by its end, as Keras does: a file can be both
        config = _read_archive(path)
    elif path.suffix in SUFFIXES:
        config = _read_hdf5(path)
    else:
        raise ModelError(
            f"{path} is no saved Keras model; expected a file that ends in {', '.join(SUFFIXES)}"
        )
    classes = list(_classes(config))
    code = sorted({name for _, name in classes if name in _CODE})
    if code:
        raise ModelError(f"{path} has a {code[0]} layer, which carries code; that is never run")
    foreign = sorted({name for module, name in classes if not _is_keras(module)})
    if foreign:
        raise ModelError(f"{path} has layers that are not Keras' own: {', '.join(foreign[:5])}")
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as weights:
            _check_links(path, weights)
    else:
        _check_links(path, path)


def check_weights_file(path: Path) -> None:
    """Raise `ModelError` where a file is no HDF5 file that keeps all it says in itself."""
    check_file(path)
    _check_links(path, path)


def _check_links(path: Path, source: Path | IO[bytes]) -> None:
    import h5py  # brought by TensorFlow

    try:
        with h5py.File(source, "r") as file:
            outside = file.visititems_links(lambda name, link: _outside(file, name, link))
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelError(f"{path} holds no weights of Keras that can be read (HDF5)") from error
    if outside is not None:
        raise ModelError(f"{path} points to other files ({outside}); that is not followed")


def _outside(file: Any, name: str, link: Any) -> str | None:
    """Return the name of what lies in another file, which ends the walk; h5py lets no error through."""
    import h5py  # brought by TensorFlow

    found = file[name] if isinstance(link, h5py.HardLink) else None
    stored = isinstance(found, h5py.Dataset) and (found.external or found.is_virtual)
    return name if stored or isinstance(link, h5py.ExternalLink) else None


def _read_archive(path: Path) -> Any:
    try:
        with zipfile.ZipFile(path) as archive:
            wrong = sorted(set(archive.namelist()) ^ _MEMBERS)
            if wrong:
                raise ModelError(f"{path} is no saved network of photos: unexpected or missing is {wrong[0]}")
            if archive.getinfo("config.json").file_size > _LARGEST_CONFIG:
                raise ModelError(f"{path} describes its network in more than {_LARGEST_CONFIG >> 20} MiB")
            return json.loads(archive.read("config.json"))
    except (zipfile.BadZipFile, KeyError, ValueError, NotImplementedError, RuntimeError) as error:
        raise ModelError(f"{path} is no saved Keras model (no archive, or damaged)") from error


def _read_hdf5(path: Path) -> Any:
    import h5py  # brought by TensorFlow

    if not h5py.is_hdf5(path):
        raise ModelError(f"{path} is no saved Keras model (not HDF5)")
    try:
        with h5py.File(path, "r") as file:
            config = file.attrs.get("model_config")
            if config is None:
                raise ModelError(
                    f"{path} holds weights only; say of which network: keras:VGG16 --weights {path}"
                )
            return json.loads(config)
    except (OSError, RuntimeError, ValueError, TypeError) as error:
        raise ModelError(f"{path} is no saved Keras model (damaged)") from error


def _classes(config: Any) -> Iterator[tuple[str | None, str]]:
    """Yield module and name of every class that a configuration asks for."""
    pending = [config]
    while pending:
        part = pending.pop()
        if isinstance(part, dict):
            if isinstance(part.get("class_name"), str):
                module = part.get("module")
                yield None if module is None else str(module), part["class_name"]
            pending.extend(part.values())
        elif isinstance(part, list):
            pending.extend(part)


def _is_keras(module: str | None) -> bool:
    return module in (None, "builtins") or str(module).split(".")[0] == "keras"
