"""ONNX Runtime sessions, and which device they run on."""

from __future__ import annotations

from typing import Literal, get_args

import onnxruntime as ort

from lookalike.errors import ModelError, UsageError
from lookalike.models import ModelFile

ort.disable_telemetry_events()  # where it was imported before us, or on Windows: see lookalike/__init__.py

Device = Literal["auto", "cpu", "cuda"]

_CUDA = "CUDAExecutionProvider"
_CPU = "CPUExecutionProvider"
_IN_MEMORY_BYTES = 64 << 20  # larger files are read by ONNX Runtime itself, not held twice
_GET_CUDA = "pip uninstall -y onnxruntime && pip install 'onnxruntime-gpu[cuda,cudnn]'"


def providers(device: str) -> list[str]:
    """Return what may run a model on a device, best first.

    "auto" is a GPU where this ONNX Runtime can use one. Raises `UsageError` for any other word, `ModelError`
    for "cuda" where it cannot.
    """
    if device not in get_args(Device):
        raise UsageError(f"no device {device!r}; there are {', '.join(get_args(Device))}")
    has_cuda = device != "cpu" and _CUDA in ort.get_available_providers()
    if device == "cuda" and not has_cuda:
        raise ModelError(f"device cuda: this ONNX Runtime runs on the processor only; {_GET_CUDA}")
    return [_CUDA, _CPU] if has_cuda else [_CPU]


def open_session(name: str, file: ModelFile, device: str = "cpu") -> ort.InferenceSession:
    """Return a session of one thread; raises `ModelError` where the file cannot be run."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.load_model_format", "ONNX")  # not one that nobody looked into
    able = providers(device)
    source = _source(file)
    if _CUDA in able and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()  # those of pip's nvidia packages
    try:
        session = ort.InferenceSession(source, options, providers=able)
    except Exception as error:  # ONNX Runtime has a dozen exception classes without a common base
        reason = str(error).strip().splitlines()
        raise ModelError(
            f"model {name}: ONNX Runtime cannot run it: {reason[0] if reason else type(error).__name__}"
        ) from error
    if device == "cuda" and not runs_on_gpu(session):
        raise ModelError(f"device cuda: ONNX Runtime found no usable GPU or CUDA libraries; {_GET_CUDA}")
    return session


def runs_on_gpu(session: ort.InferenceSession) -> bool:
    """Whether a session uses a GPU."""
    return _CUDA in session.get_providers()


def _source(file: ModelFile) -> bytes | str:
    """Return what is verified to be the model: its bytes, or its path where they are many or in parts."""
    try:
        is_small = file.path.stat().st_size <= _IN_MEMORY_BYTES
    except OSError:
        is_small = True  # reading it says what is wrong
    if is_small and not file.beside:
        return file.read_bytes()
    file.verify()
    return str(file.path)
