"""Makes a model folder from a Keras network, so that vectors equal Keras' own.

::

    convert         checks, starts the process below, compares the vectors, writes the folder
    export          a process of its own, with TensorFlow: reads the network, writes ONNX
    wire            what these two say to each other
    files           looks into .h5 and .keras files before Keras does
    network         which network, which layer
    prepare         whose preprocessing
    graph           its ONNX graph
    card            record.json and README.md of the folder
"""

from __future__ import annotations

import errno
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from lookalike.durable import sync_folder
from lookalike.errors import ModelError, NotFoundError, StorageError, UsageError
from lookalike.files import check_file
from lookalike.models.keras.card import Card, write_card
from lookalike.models.keras.wire import (
    INPUT_NAME,
    MODEL_FILE,
    OUTPUT_NAME,
    PICTURES_FILE,
    SUFFIXES,
    VECTORS_FILE,
    ConvertRequest,
    Facts,
    error_of,
    one_line,
)
from lookalike.models.record import ModelRecord, read_record
from lookalike.user_folders import expanded

if TYPE_CHECKING:  # heavy, and needed only once the network is converted
    import numpy as np
    import numpy.typing as npt

LEAST_COSINE = 0.9999
RESAMPLES = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
POOLINGS = ("avg", "max", "flatten")
_PREFIX = "keras:"
_END_SECONDS = 10
_ROOT = Path(__file__).resolve().parents[3]
# Appended, so that another Python finds its own packages first and only this one here.
_START = "import sys; sys.path.append(sys.argv.pop()); from lookalike.models.keras.export import main; main()"


@dataclass(frozen=True, slots=True)
class KerasOptions:
    """How a Keras network is to be converted; `None` is what Keras or the network itself says.

    `weights` is "imagenet", "none" or a file, for applications. `top` False builds an application without its
    classifier. `pooling` turns a map of features into numbers: "avg", "max", "flatten". `resample` is how
    photos are squashed to the network's square: "nearest" is what `load_img` does unless told otherwise.
    `python` is the interpreter that has the `keras` extra.
    """

    layer: str | None = None
    weights: str | None = None
    preprocess: str | None = None
    size: int | None = None
    top: bool = True
    pooling: str = "avg"
    resample: str = "nearest"
    name: str | None = None
    python: Path | None = None


_DEFAULTS = KerasOptions()


def convert(
    wanted: str,
    target: Path,
    options: KerasOptions = _DEFAULTS,
    on_step: Callable[[str], None] | None = None,
) -> ModelRecord:
    """Convert `keras:VGG16` or `keras:/path/model.keras` into the new folder `target`; return its record.

    `on_step` hears in a few words what is being done.

    Raises `UsageError` for what makes no sense (an unknown network or layer, a folder that is not empty),
    `NotFoundError` for a file that is not there, `ModelError` for one that is unfit or whose vectors are not
    Keras' own, `FetchError` for weights that cannot be downloaded, `MissingExtraError` without TensorFlow,
    `StorageError` for the disk. Then `target` is as it was.
    """
    request = _request(wanted, options)
    target = Path(os.path.abspath(expanded(str(target))))  # noqa: PTH100  # a link stays the user's name for it
    _check_target(target)
    with _storage(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as scratch:
            folder = Path(scratch) / target.name
            folder.mkdir()
            facts = _exported(_placed(request, folder), options.python, on_step or _silent)
            _compare(folder, facts)
            write_card(folder, Card(request, facts, options.resample, options.name))
            read_record(folder)
            _publish(folder, target)
    return read_record(target, str(target))


def _silent(step: str) -> None:  # as `on_step` is called
    """Say nothing."""


def _request(wanted: str, options: KerasOptions) -> ConvertRequest:
    place = wanted.removeprefix(_PREFIX)
    if not wanted.startswith(_PREFIX) or not place:
        raise UsageError(f"cannot convert {wanted!r}; expected keras:VGG16 or keras:/path/model.keras")
    for what, value, choices in (
        ("resample", options.resample, RESAMPLES),
        ("pooling", options.pooling, POOLINGS),
    ):
        if value not in choices:
            raise UsageError(f"no {what} {value!r}; there are {', '.join(choices)}")
    if options.size is not None and not 16 <= options.size <= 4096:
        raise UsageError(f"a size of {options.size} pixels; expected 16 to 4096")
    if options.name is not None and not re.fullmatch(r"\w[\w.-]*", options.name):
        raise UsageError(f"{options.name!r} is no name for a model; expected letters, digits, . _ -")
    path = expanded(place)
    is_file = path.suffix.lower() in SUFFIXES or path.parent != Path() or path.is_file()
    if is_file and (options.weights is not None or not options.top):
        raise UsageError(
            f"{place} is a saved model: --weights and --no-top are for the networks of keras.applications"
        )
    weights = options.weights or "imagenet"
    if weights not in ("imagenet", "none"):
        weights = _existing(weights)
    return ConvertRequest(
        folder="",
        application=None if is_file else place,
        model_file=_existing(place) if is_file else None,
        weights=weights,
        layer=options.layer,
        preprocess=options.preprocess,
        size=options.size,
        top=options.top,
        pooling=options.pooling,
        about={"fit": "squash", "resample": options.resample},
    )


def _placed(request: ConvertRequest, folder: Path) -> ConvertRequest:
    return ConvertRequest(**asdict(request) | {"folder": os.fspath(folder)})


def _existing(name: str) -> str:
    path = expanded(name).resolve()
    if not path.exists():
        raise NotFoundError(f"{path} is not there")
    check_file(path)
    return os.fspath(path)


def _check_target(target: Path) -> None:
    if target.is_dir() and not any(target.iterdir()):
        return
    if target.exists() or target.is_symlink():
        what = "is not empty" if target.is_dir() else "is not a folder"
        raise UsageError(f"{target} {what}; name a new folder")


@contextmanager
def _storage(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{target} cannot be written: {error.strerror or error}") from error


def _exported(request: ConvertRequest, python: Path | None, on_step: Callable[[str], None]) -> Facts:
    """Have the other process do its part; raises what it met."""
    command = [os.fspath(python or sys.executable), "-P", "-c", _START]
    command += [json.dumps(asdict(request)), os.fspath(_ROOT)]
    settings = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow"}
    settings |= {"PYTHONIOENCODING": "utf-8", "PYTHONHASHSEED": "0"}  # so that two runs name things alike
    with tempfile.TemporaryFile() as talk:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,  # never written to: it closes when this process ends
                stdout=subprocess.PIPE,
                stderr=talk,
                env=os.environ | settings,
            )
        except OSError as error:
            raise UsageError(f"{command[0]} cannot be started: {error.strerror}") from error
        with process:
            try:
                assert process.stdout is not None  # asked for above
                facts = _answer(process.stdout, on_step)
                if facts is None:  # it is about to end, and its code says how
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(_END_SECONDS)
            finally:
                process.kill()  # it has answered, or nobody waits for it any more
        if facts is None:
            raise ModelError(f"the conversion {_end(process.returncode)}{_last_line(talk)}")
        return facts


def _answer(answers: IO[bytes], on_step: Callable[[str], None]) -> Facts | None:
    for line in answers:
        try:
            message: dict[str, Any] = json.loads(line)
        except ValueError:  # a crash can leave half a line
            return None
        if "done" in message:
            return Facts(**message["done"])
        if "error" in message:
            raise error_of(str(message["error"]), one_line(message["message"], 600))
        on_step(str(message["step"]))
    return None


def _end(code: int) -> str:
    if code == -9:
        return "was killed (most often because memory ran out)"
    return f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"


def _last_line(talk: IO[bytes]) -> str:
    talk.seek(0, os.SEEK_END)
    talk.seek(max(0, talk.tell() - 4096))
    lines = [line for line in talk.read().decode("utf-8", "replace").splitlines() if line.strip()]
    return f": {one_line(lines[-1])}" if lines else ""


def _compare(folder: Path, facts: Facts) -> None:
    """Hold the graph against the vectors that Keras itself gave; then they are not needed any more."""
    import numpy as np

    pictures, wanted = (np.load(folder / name, allow_pickle=False) for name in (PICTURES_FILE, VECTORS_FILE))
    found = _run(folder / MODEL_FILE, pictures)
    if found.shape != (len(pictures), facts.dim) or found.shape != wanted.shape:
        raise ModelError(f"{facts.network}: ONNX gives {found.shape}, Keras {wanted.shape}")
    if not (np.isfinite(wanted).all() and np.isfinite(found).all()):
        raise ModelError(f"{facts.network}, layer {facts.layer}, gives numbers that are not finite")
    lengths = np.linalg.norm(wanted.astype(np.float64), axis=1) * np.linalg.norm(
        found.astype(np.float64), axis=1
    )
    if not lengths.all():
        raise ModelError(f"{facts.network}, layer {facts.layer}, gives zeros only: choose another layer")
    least = ((wanted.astype(np.float64) * found).sum(axis=1) / lengths).min()
    if least < LEAST_COSINE:
        raise ModelError(
            f"{facts.network}: the converted vectors have cosine {least:.5f} with Keras' own, "
            f"expected {LEAST_COSINE} or more; nothing was written"
        )
    for name in (PICTURES_FILE, VECTORS_FILE):
        (folder / name).unlink()


def _run(model: Path, pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    import numpy as np
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        rows = [
            session.run([OUTPUT_NAME], {INPUT_NAME: pictures[at : at + 1]})[0] for at in range(len(pictures))
        ]
    except Exception as error:  # ONNX Runtime has a dozen exception classes without a common base
        raise ModelError(f"ONNX Runtime cannot run the converted network: {one_line(error)}") from error
    return np.concatenate(rows).astype(np.float32)


def _publish(folder: Path, target: Path) -> None:
    """Put the folder in its place, whole or not at all, so that it survives a power cut."""
    for path in folder.iterdir():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    sync_folder(folder)
    if target.exists():
        target.rmdir()  # it is empty
    try:
        folder.rename(target)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
            raise UsageError(f"{target} is not empty; name a new folder") from error
        raise
    sync_folder(target.parent)
