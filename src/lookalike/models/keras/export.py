"""The process that reads Keras models: the only place where `.h5` and `.keras` files are opened.

`convert` starts it, with the request as its argument (see `wire`).
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lookalike.errors import LookalikeError, ModelError, StorageError
from lookalike.models.keras.wire import (
    MODEL_FILE,
    PICTURES_FILE,
    VECTORS_FILE,
    ConvertRequest,
    Facts,
    one_line,
)

_NEEDED = ("tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "h5py")
_PICTURES = 6


class _MissingError(Exception):
    """What needs the extra, for `MissingExtraError`."""


def main() -> None:
    """Answer the request in the first argument."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # TensorFlow and Keras talk there

    def say(**message: object) -> None:
        answers.write(json.dumps(message) + "\n")

    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        facts = export(ConvertRequest(**json.loads(sys.argv[1])), lambda step: say(step=step))
    except _MissingError as error:
        say(error="MissingExtraError", message=str(error))
    except LookalikeError as error:
        say(error=type(error).__name__, message=str(error))
    except MemoryError:
        say(error="ModelError", message="the conversion needs more memory than there is")
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        say(error=(StorageError if full else ModelError).__name__, message=one_line(error))
    except Exception as error:  # TensorFlow, tf2onnx and Keras raise all sorts
        say(error="ModelError", message=f"it cannot be converted: {one_line(error) or type(error).__name__}")
    else:
        say(done=asdict(facts))


def export(request: ConvertRequest, on_step: Callable[[str], None]) -> Facts:
    """Write the ONNX file, a few pictures and Keras' own vectors of them; say what they are."""
    on_step("starting TensorFlow")
    modules = _load_modules()
    from lookalike.models.keras.graph import write_onnx  # these take NumPy, which may be missing too
    from lookalike.models.keras.network import build_network

    on_step("reading the network")
    network = build_network(request)
    folder = Path(request.folder)
    on_step("asking Keras for vectors")
    _write_vectors(network, folder)
    on_step("converting")
    dim = write_onnx(network, folder / MODEL_FILE, request.about | {"preprocess": network.preprocess})
    versions = {name: str(modules[name].__version__) for name in ("keras", "tensorflow", "tf2onnx")}
    return Facts(
        network.name, network.layer, network.preprocess, network.guessed, network.size, dim, versions
    )


def _load_modules() -> dict[str, Any]:
    try:
        return {name: importlib.import_module(name) for name in _NEEDED}
    except ModuleNotFoundError as error:
        raise _MissingError(f"converting a Keras model (no {error.name} in {sys.executable})") from error
    except Exception as error:  # TensorFlow fails in many ways on a machine that it is not made for
        raise ModelError(f"TensorFlow cannot start in {sys.executable}: {one_line(error)}") from error


def _write_vectors(network: Any, folder: Path) -> None:
    import numpy as np

    pictures = _pictures(network.size)
    vectors = network.model.predict(network.prepare(pictures.astype(np.float32)), verbose=0)
    np.save(folder / PICTURES_FILE, pictures, allow_pickle=False)
    np.save(folder / VECTORS_FILE, np.asarray(vectors, np.float32), allow_pickle=False)


def _pictures(size: int) -> Any:
    """Return uint8 RGB `(n, size, size, 3)`: patches of colour, coarse to fine, and noise over them."""
    import numpy as np

    random = np.random.default_rng(4096)
    pictures = []
    for at in range(_PICTURES):
        patches = random.integers(0, 256, (2**at + 1, 2**at + 1, 3))
        rows = np.arange(size) * len(patches) // size
        noise = random.integers(-20, 21, (size, size, 3))
        pictures.append(np.clip(patches[rows][:, rows] + noise, 0, 255))
    return np.stack(pictures).astype(np.uint8)


def _end_with_parent() -> None:
    sys.stdin.buffer.read()  # ends when the process that holds the other end does
    os._exit(1)
