"""Measure the bundled photo models: how well they find, how fast they run, and what their settings are worth.

    python tools/build_models.py              once, for the float32 graphs to compare with
    python bench/models.py                    quality and speed of every model
    python bench/models.py --save             the same, kept for the model cards
    python bench/models.py choices            crops, filters and heads, one at a time
    python bench/models.py directions         fewer numbers than 1,280, and a second look
    python bench/models.py threads            ways to use two cores

The photos come from --data, or LOOKALIKE_DATA: a folder holding `caltech50/<label>/` and `clothing/<label>/`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

from labelled_photos import DATA, ROOT, SETS, Quality, View, list_photos, measure, read_photos

BUNDLED = ROOT / "src" / "lookalike" / "models" / "bundled"
MEASURED = ROOT / "tools" / "models" / "measured.json"
NAMES = ("efficientnet-lite0", "efficientnet-lite2")
BATCH, SPEED_PHOTOS = 16, 64
HEADER = (
    "| model | numbers | MB | caltech50 mAP | P@10 | clothing mAP | P@10 | photos/s, batch 16 | batch 1 |\n"
    "|---|---|---|---|---|---|---|---|---|"
)
Run = Callable[[NDArray[np.uint8]], object]


def main() -> None:
    style = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=style)
    parser.add_argument(
        "what", nargs="?", choices=("models", "choices", "directions", "threads"), default="models"
    )
    parser.add_argument("--data", type=Path, default=DATA, help="the folder of labelled photos")
    parser.add_argument("--float32", type=Path, default=ROOT / "build" / "models", help="the float32 graphs")
    parser.add_argument(
        "--rounds", type=int, default=9, help="how often each speed is taken; the best counts"
    )
    parser.add_argument("--save", action="store_true", help="keep the rows for the model cards")
    options = parser.parse_args()
    if options.what == "models":
        compare_models(options)
    elif options.what == "choices":
        compare_choices(options)
    elif options.what == "directions":
        compare_directions(options)
    else:
        compare_threads(options.rounds)


def compare_models(options: argparse.Namespace) -> None:
    print(HEADER)
    saved = {}
    for name in NAMES:
        shipped = BUNDLED / name / "model.onnx"
        files = {"float32": options.float32 / f"{name}-float32.onnx", "int8": shipped}
        rows = [_model_row(name, kind, path, options) for kind, path in files.items()]
        record = json.loads((BUNDLED / name / "record.json").read_text(encoding="utf-8"))
        saved[record["model_id"]] = [*HEADER.splitlines(), *rows]
    if options.save:
        MEASURED.write_text(json.dumps(saved, indent=2) + "\n", encoding="utf-8")


def _model_row(name: str, numbers: str, path: Path, options: argparse.Namespace) -> str:
    session = open_session(path, threads=1)
    view = View(session.get_inputs()[0].shape[1])
    qualities = []
    for name_of_set in SETS:
        paths, labels = list_photos(options.data / name_of_set)
        qualities.append(measure(embed(session, read_photos(paths, view), ["embedding"])[0], labels))
    speeds = [_best_speed(view.size, _in_parallel(session, size), options.rounds) for size in (BATCH, 1)]
    cells = [
        name,
        numbers,
        f"{path.stat().st_size / 1e6:.1f}",
        *_cells(qualities),
        *(f"{x:.0f}" for x in speeds),
    ]
    print(row := _row(cells), flush=True)
    return row


def compare_choices(options: argparse.Namespace) -> None:
    """Change one setting at a time, with the default model in float32."""
    model = onnx.load(options.float32 / f"{NAMES[0]}-float32.onnx")
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info("features"))
    model.graph.output[-1].type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    session = open_session(model.SerializeToString(), threads=os.cpu_count() or 1)
    base = View(session.get_inputs()[0].shape[1])
    print("| choice | caltech50 mAP | P@10 | clothing mAP | P@10 | mean mAP |\n|---|---|---|---|---|---|")
    sets = [list_photos(options.data / name) for name in SETS]
    for title, view in _views(base):
        vectors = [embed(session, read_photos(paths, view), ["embedding"])[0] for paths, _ in sets]
        _print_choice(title, [measure(v, labels) for v, (_, labels) in zip(vectors, sets, strict=True)])
    outputs = [embed(session, read_photos(paths, base), ["features"])[0] for paths, _ in sets]
    for title, head in _heads(session_constants(model)):
        qualities = [measure(head(out), labels) for out, (_, labels) in zip(outputs, sets, strict=True)]
        _print_choice(title, qualities)


def compare_directions(options: argparse.Namespace) -> None:
    """Take the strongest directions of the classifier's weights, with the shipped network of the default."""
    shipped = onnx.load(BUNDLED / NAMES[0] / "model.onnx")
    constants = session_constants(shipped)
    session = open_session(shipped.SerializeToString(), threads=os.cpu_count() or 1)
    base = View(session.get_inputs()[0].shape[1])
    weights = (constants["classes.weight.int"] * constants["classes.weight.step"]).T.astype(np.float64)
    _, strengths, directions = np.linalg.svd(weights - weights.mean(axis=0), full_matrices=False)
    shared = constants["blind.half"].astype(np.float64) @ constants["blind.mean"]
    shared /= np.linalg.norm(shared)

    def strongest(count: int, power: float = 0.0) -> NDArray[np.float32]:
        lengths = (strengths / strengths[255]) ** power
        return np.column_stack([shared, (directions * lengths[:, None])[: count - 1].T]).astype(np.float32)

    print(
        "| numbers | caltech50 mAP | P@10 | clothing mAP | P@10 | mean mAP | mean right first |\n|---"
        + "|---" * 6
        + "|"
    )
    sets = [list_photos(options.data / name) for name in SETS]
    whole = [embed(session, read_photos(paths, base), ["embedding"])[0] for paths, _ in sets]
    closer = [
        embed(session, read_photos(paths, replace(base, fraction=0.75)), ["embedding"])[0]
        for paths, _ in sets
    ]
    ways: dict[str, Callable[[int], NDArray[np.float32]]] = {"all 1,280": lambda at: whole[at]}
    for count in (256, 384, 504, 640):
        ways[f"{count} strongest"] = lambda at, count=count: whole[at] @ strongest(count)
    ways["504, the weaker lengthened (shipped)"] = lambda at: whole[at] @ strongest(504, -0.25)
    ways["the same, with a second look at 0.75 of the square"] = lambda at: (
        _unit(whole[at] @ strongest(504, -0.25)) + _unit(closer[at] @ strongest(504, -0.25))
    )
    for title, way in ways.items():
        qualities = [measure(way(at), labels) for at, (_, labels) in enumerate(sets)]
        means = (np.mean([getattr(each, name) for each in qualities]) for name in ("mean_average", "first"))
        print(_row([title, *_cells(qualities), *(f"{mean:.4f}" for mean in means)]), flush=True)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _views(base: View) -> Iterator[tuple[str, View]]:
    yield "as shipped: whole short side, hamming", base
    for fraction in (0.95, 0.9, 0.875):
        yield f"crop {fraction} of the short side", replace(base, fraction=fraction)
    for resample in ("box", "bilinear", "bicubic", "lanczos"):
        yield resample, replace(base, resample=resample)
    yield "squashed to a square, nothing cut", replace(base, squash=True)


def _heads(
    constants: dict[str, NDArray[np.float32]],
) -> Iterator[tuple[str, Callable[..., NDArray[np.float32]]]]:
    blind = constants["blind.half"].astype(np.float32)

    def seen(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        return vectors - vectors @ blind @ blind.T

    def halved(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        return vectors - 0.5 * (vectors @ blind - constants["blind.mean"]) @ blind.T

    yield "head: average", lambda features: _power_mean(features, 1)
    yield "head: average, square root of each number", lambda features: _power_mean(features, 1) ** 0.5
    yield "head: p = 2", lambda features: _power_mean(features, 2)
    yield "head: p = 3", lambda features: _power_mean(features, 3)
    yield "head: maximum", lambda features: features.max(axis=(2, 3))
    yield "head: p = 2, blind directions removed", lambda features: seen(_power_mean(features, 2))
    yield "head: p = 2, blind directions halved (shipped)", lambda features: halved(_power_mean(features, 2))
    yield (
        "the same, less the mean of the set itself",
        lambda features: _centre(halved(_power_mean(features, 2))),
    )


def _centre(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return vectors - vectors.mean(axis=0)


def _power_mean(features: NDArray[np.float32], power: int) -> NDArray[np.float32]:
    return np.mean(features**power, axis=(2, 3)) ** (1 / power)


def compare_threads(rounds: int) -> None:
    """Try the ways to use two cores, round after round, with the default model."""
    path = BUNDLED / NAMES[0] / "model.onnx"
    single, double = open_session(path, threads=1), open_session(path, threads=2)
    calm = open_session(path, threads=2, spin=False)
    ways: dict[str, Callable[[int], Run]] = {
        "1 thread": lambda size: _in_turn(single, size),
        "1 thread a call, 2 calls at once": lambda size: _in_parallel(single, size, calls=2),
        "2 threads a call": lambda size: _in_turn(double, size),
        "2 threads a call, no spinning": lambda size: _in_turn(calm, size),
    }
    sizes = (1, 4, 8, 16, 32)
    pixels = _noise(single.get_inputs()[0].shape[1])
    runs = {(way, size): make(size) for way, make in ways.items() for size in sizes}
    speeds: dict[tuple[str, int], list[float]] = {key: [] for key in runs}
    for _ in range(rounds):
        for key, run in runs.items():
            speeds[key].append(_speed(run, pixels))
    print("| photos/s, best (median) | " + " | ".join(f"batch {size}" for size in sizes) + " |")
    print("|---" * (len(sizes) + 1) + "|")
    for way in ways:
        found = [speeds[way, size] for size in sizes]
        print(_row([way, *(f"{max(x):.0f} ({np.median(x):.0f})" for x in found)]))


def open_session(model: Path | bytes, threads: int, spin: bool = True) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spin)))
    source = model if isinstance(model, bytes) else str(model)
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def embed(
    session: ort.InferenceSession, pixels: NDArray[np.uint8], outputs: list[str]
) -> list[NDArray[np.float32]]:
    parts = [session.run(outputs, {"pixels": part}) for part in _batches(pixels, BATCH)]
    return [np.concatenate(column) for column in zip(*parts, strict=True)]


def session_constants(model: onnx.ModelProto) -> dict[str, NDArray[np.float32]]:
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def _in_turn(session: ort.InferenceSession, size: int) -> Run:
    return lambda pixels: [session.run(None, {"pixels": part}) for part in _batches(pixels, size)]


def _in_parallel(session: ort.InferenceSession, size: int, calls: int | None = None) -> Run:
    pool = ThreadPoolExecutor(calls or os.cpu_count())
    return lambda pixels: list(
        pool.map(lambda part: session.run(None, {"pixels": part}), _batches(pixels, size))
    )


def _batches(pixels: NDArray[np.uint8], size: int) -> Iterator[NDArray[np.uint8]]:
    return (pixels[start : start + size] for start in range(0, len(pixels), size))


def _noise(size: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (SPEED_PHOTOS, size, size, 3), dtype=np.uint8)


def _best_speed(size: int, run: Run, rounds: int) -> float:
    """Return photos per second; the best round, for other work on the machine can only slow one down."""
    pixels = _noise(size)
    return max(_speed(run, pixels) for _ in range(rounds))


def _speed(run: Run, pixels: NDArray[np.uint8]) -> float:
    start = time.perf_counter()
    run(pixels)
    return len(pixels) / (time.perf_counter() - start)


def _print_choice(title: str, qualities: list[Quality]) -> None:
    mean = np.mean([quality.mean_average for quality in qualities])
    print(_row([title, *_cells(qualities), f"{mean:.4f}"]), flush=True)


def _cells(qualities: list[Quality]) -> list[str]:
    return [f"{number:.4f}" for quality in qualities for number in (quality.mean_average, quality.at_10)]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
