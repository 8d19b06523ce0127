"""Which device a model runs on, and what is said where that cannot be."""

import onnxruntime as ort
import pytest

from lookalike.embedders import session
from lookalike.embedders.load import load_embedder
from lookalike.embedders.onnx import OnnxEmbedder
from lookalike.errors import ModelError, UsageError
from lookalike.models import load_bundled

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


@pytest.fixture
def with_cuda(monkeypatch):
    """An ONNX Runtime that was built for GPUs; whether a GPU is there is `usable`."""
    real = ort.InferenceSession

    def pretend(usable):
        class Session:
            def __init__(self, source, options, providers):
                self._real = real(source, options, providers=[CPU])
                self._providers = providers if usable else [CPU]

            def get_providers(self):
                return self._providers

            def __getattr__(self, name):
                return getattr(self._real, name)

        monkeypatch.setattr(ort, "get_available_providers", lambda: [CUDA, CPU])
        monkeypatch.setattr(ort, "InferenceSession", Session)
        monkeypatch.setattr(ort, "preload_dlls", lambda: None, raising=False)

    return pretend


def test_without_cuda_the_processor_is_used():
    assert session.providers("cpu") == session.providers("auto") == [CPU]
    with pytest.raises(
        ModelError, match=r"pip uninstall -y onnxruntime && pip install 'onnxruntime-gpu\[cuda"
    ):
        session.providers("cuda")
    with pytest.raises(ModelError, match="device cuda"):
        load_embedder("efficientnet-lite0", device="cuda")
    with pytest.raises(UsageError, match="no device 'tpu'; there are auto, cpu, cuda"):
        load_embedder("efficientnet-lite0", device="tpu")


def test_a_gpu_gets_large_batches_one_at_a_time(with_cuda):
    with_cuda(usable=True)
    assert session.providers("auto") == session.providers("cuda") == [CUDA, CPU]
    assert session.providers("cpu") == [CPU]
    embedder = OnnxEmbedder(load_bundled(), threads=4, device="cuda")
    assert embedder.batches.per_call == 64 and embedder.batches.threads == 1
    on_cores = OnnxEmbedder(load_bundled(), threads=4, device="cpu")
    assert on_cores.batches.per_call == 8 and on_cores.batches.threads == 4


def test_a_gpu_that_is_not_there_is_said_and_auto_goes_on_without(with_cuda):
    with_cuda(usable=False)
    with pytest.raises(ModelError, match="found no usable GPU or CUDA libraries; pip"):
        OnnxEmbedder(load_bundled(), threads=1, device="cuda")
    assert OnnxEmbedder(load_bundled(), threads=3, device="auto").batches.threads == 3


def test_the_bundled_models_stay_on_the_processor_unless_told(with_cuda):
    with_cuda(usable=True)
    assert load_embedder("efficientnet-lite0", threads=2).batches.threads == 2
    assert load_embedder("efficientnet-lite0", "cuda", threads=2).batches.threads == 1


def test_a_large_file_is_read_by_onnx_runtime_itself(monkeypatch):
    monkeypatch.setattr(session, "_IN_MEMORY_BYTES", 1000)
    file = load_bundled().photo.file
    assert session._source(file) == str(file.path)
    assert session.open_session("it", file).get_inputs()
