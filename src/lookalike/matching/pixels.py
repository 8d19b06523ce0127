"""Two pictures laid on each other: whether their pixels move, and what differs between them.

In windows of 16 × 16 pixels, gain, offset and shift between the pictures are fitted together (Lucas and
Kanade, An Iterative Image Registration Technique, 1981, with a gain); what a similarity explains of the
shifts is taken off. A copy stands still, however it was recoloured or blurred; a second shot does not.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from lookalike.matching.opencv import opencv

Pixels = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.floating]
Grid = tuple[int, int]  # rows and columns of windows
Scalar = TypeVar("Scalar", bound=np.generic)

WINDOW = 16
_SMOOTHING = 1.0  # pixels of a Gaussian, against noise and the grid of JPEG
_TEXTURED = 5.0  # deviation of grey levels in a window that can tell anything
_BLANK = 3.0  # below which a window is blank in both pictures
_FITS = 0.8  # share of a window's variance that the fit explains
_ROUGHLY = 0.7
_LEAST_GAIN = 0.2
_LEAST_FITTING = 4  # windows, from which a similarity of their shifts can be told
_STEADY = np.diag([1e-2, 1e-2, 20, 20]).astype(np.float32)  # keeps the fit of plain windows from running off
_FAR_OFF = 0.1  # pixels from the similarity, from which the shift of a window counts little
_REALIGNED = 0.12  # pixels from which a similarity of shifts is worth another look
_LEVELS = 8.0  # within which pixels agree
_SAME_PIXELS = 0.25  # share of a window's pixels that agree where something is only written over it
_PLAIN = 0.65  # share of changed pixels in two ranges of grey, where they are writing
_RANGE = 32  # levels that such a range is wide
_SHARPNESS = 0.5  # difference of the logarithms from which one picture is blurred to match the other
_BLURS = (0.0, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0, 2.5, 3.2)


@dataclass(frozen=True, slots=True)
class Laid:
    """What came of laying two pictures on each other.

    `windows` of the frame have texture; a share of `fitting` of them is explained by gain, offset and a small
    shift, half of those by a shift of `moves` pixels at most. In a share of `differing` of the frame the
    pictures are not the same, `largest` of it in one piece; `moved` is the share of pieces that are no
    writing. `blur` is by how many pixels one had to be blurred to be as soft as the other.
    """

    windows: int
    fitting: float = 0.0
    moves: float = 9.0
    differing: float = 1.0
    largest: float = 1.0
    moved: float = 1.0
    blur: float = 0.0


def lay(one: Pixels, other: Pixels, common: Mask, *, again: int = 2) -> Laid:
    """Compare two grey pictures `(height, width)` of 0 to 255 where they have a part in common."""
    grid = _grid(other)
    if min(grid) < 2:
        return Laid(0)
    cv2 = opencv()
    soft_one, soft_other, blur = _equally_sharp(one, other, common)
    first, second = (cv2.GaussianBlur(each, (0, 0), _SMOOTHING) for each in (soft_one, soft_other))
    fit = _fit(first, second, np.asarray(_windows(common).all(axis=1)))
    windows, fitting = int(fit.textured.sum()), int(fit.good.sum())
    if fitting < _LEAST_FITTING:
        return Laid(windows, fitting / max(1, windows), blur=blur)
    similarity = _similarity(fit, grid)
    along = similarity.jacobian @ similarity.parameters
    if again and np.median(np.hypot(*along[fit.good].T)) > _REALIGNED:
        moved_one, still_common = _realigned(one, common, similarity.parameters, grid)
        return lay(moved_one, other, still_common, again=again - 1)
    moves = _lengths(fit, _smoothed(fit, fit.shifts - along, grid))[fit.good]
    differing, largest, moved = _differences(fit, (one, other), grid)
    return Laid(windows, fitting / windows, float(np.median(moves)), differing, largest, moved, blur)


@dataclass(frozen=True, slots=True)
class _Fit:
    """What explains the windows `(n, pixels)` of a second picture by those of a first."""

    first: Floats
    second: Floats
    inside: Mask
    textured: Mask
    good: Mask
    explained: Floats
    gains: Floats
    shifts: Floats
    structure: Floats
    """How much a window's gradients tell of shifts, `(n, 2, 2)`."""


@dataclass(frozen=True, slots=True)
class _Similarity:
    """Growth, turn and shift that explain the shifts of windows: `jacobian @ parameters`."""

    parameters: Floats
    jacobian: Floats


def _fit(first: Pixels, second: Pixels, inside: Mask) -> _Fit:
    cv2 = opencv()
    across, down = cv2.Scharr(first, -1, 1, 0) / 32, cv2.Scharr(first, -1, 0, 1) / 32
    ours, theirs = _windows(first), _windows(second)
    terms = np.stack([ours, np.ones_like(ours), _windows(across), _windows(down)], axis=1)
    normal = terms @ terms.transpose(0, 2, 1) + _STEADY
    found = np.linalg.solve(normal, terms @ theirs[..., None])
    left = theirs - (found.transpose(0, 2, 1) @ terms)[:, 0]
    spread = theirs.var(axis=1)
    textured = inside & (np.sqrt(np.maximum(spread, ours.var(axis=1))) > _TEXTURED)
    explained = 1 - (left**2).mean(axis=1) / np.maximum(spread, 1e-3)
    gains = found[:, 0, 0]
    good = textured & (explained > _FITS) & (gains > _LEAST_GAIN)
    shifts = found[:, 2:, 0] / np.maximum(np.abs(gains), 0.1)[:, None]
    return _Fit(ours, theirs, inside, textured, good, explained, gains, shifts, normal[:, 2:, 2:])


def _similarity(fit: _Fit, grid: Grid) -> _Similarity:
    """Fit growth, turn and shift to the shifts of windows that fit, those far off counting little."""
    rows, columns = grid
    down, across = np.divmod(np.arange(rows * columns), columns)
    x, y = (across - (columns - 1) / 2) * WINDOW, (down - (rows - 1) / 2) * WINDOW
    one, none = np.ones_like(x), np.zeros_like(x)
    jacobian = np.stack([np.stack([x, -y, one, none], axis=1), np.stack([y, x, none, one], axis=1)], axis=1)
    trace = np.trace(fit.structure, axis1=1, axis2=2)
    weights = fit.good / trace
    parameters = np.zeros(4)
    for _ in range(4):
        weighted = np.einsum("nij,njk->nik", fit.structure, jacobian) * weights[:, None, None]
        normal = np.einsum("nij,nik->jk", jacobian, weighted) + np.diag([1e-1, 1e-1, 1e-4, 1e-4])
        parameters = np.linalg.solve(normal, np.einsum("nik,ni->k", weighted, fit.shifts))
        off = _lengths(fit, fit.shifts - jacobian @ parameters)
        weights = fit.good / trace / (1 + (off / _FAR_OFF) ** 2)
    return _Similarity(parameters, jacobian)


def _smoothed(fit: _Fit, shifts: Floats, grid: Grid) -> Floats:
    """Return for each window the shift that explains those of the windows around it, too.

    Noise goes; what moved in the scene does not, since neighbours move together.
    """
    weights = fit.good.astype(np.float64)[:, None, None]
    structure = _around(fit.structure * weights, grid)
    pull = _around((fit.structure * weights) @ shifts[..., None], grid)
    smoothed: Floats = np.linalg.solve(structure + np.eye(2), pull)[..., 0]
    return smoothed


def _around(values: Floats, grid: Grid) -> Floats:
    """Return the sums over 3 × 3 windows."""
    rows, columns = grid
    padded = np.pad(values.reshape(rows, columns, *values.shape[1:]), ((1, 1), (1, 1), (0, 0), (0, 0)))
    shifted = [padded[down : down + rows, right : right + columns] for down in range(3) for right in range(3)]
    return np.asarray(sum(shifted)).reshape(values.shape)


def _lengths(fit: _Fit, shifts: Floats) -> Floats:
    """Return how long shifts `(n, 2)` are, in pixels, along what the gradients of their windows can tell."""
    squares = np.einsum("ni,nij,nj->n", shifts, fit.structure, shifts)
    return np.asarray(np.sqrt(np.maximum(squares / np.trace(fit.structure, axis1=1, axis2=2), 0)))


def _realigned(one: Pixels, common: Mask, parameters: Floats, grid: Grid) -> tuple[Pixels, Mask]:
    """Sample the first picture where the similarity says that the second one has it."""
    cv2 = opencv()
    grow, turn, right, down = parameters
    matrix = np.array([[1 + grow, -turn, right], [turn, 1 + grow, down]])
    centre = np.array([(grid[1] * WINDOW - 1) / 2, (grid[0] * WINDOW - 1) / 2])
    matrix[:, 2] += centre - matrix[:, :2] @ centre
    size, back = one.shape[::-1], cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(one, matrix, size, flags=cv2.INTER_CUBIC | back, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(common.astype(np.float32), matrix, size, flags=cv2.INTER_LINEAR | back)
    return moved, inside > 0.99


def _differences(fit: _Fit, raw: tuple[Pixels, Pixels], grid: Grid) -> tuple[float, float, float]:
    """Return which share of the frame is not the same, the largest piece of it, and what is no writing."""
    cv2 = opencv()
    off, differs = _differing(fit, grid)
    count, pieces = cv2.connectedComponents(differs.reshape(grid).astype(np.uint8), connectivity=4)
    pieces = pieces.ravel()
    sizes = np.bincount(pieces, minlength=count)[1:] / max(1, fit.inside.sum())
    ours, theirs = _windows(raw[0]), _windows(raw[1])
    moved = 0.0
    for piece, size in enumerate(sizes, 1):
        changed = (off > _LEVELS) & (pieces == piece)[:, None]
        if max(_plainness(ours[changed]), _plainness(theirs[changed])) < _PLAIN:
            moved += float(size)
    return float(sizes.sum()), float(max(sizes, default=0.0)), moved


def _differing(fit: _Fit, grid: Grid) -> tuple[Floats, Mask]:
    """Return by how much each pixel is not what the tone around it makes expect, and which windows differ.

    What both pictures have too bright or too dark to be told counts as the same.
    """
    gains, offsets = _tone_around(fit, grid)
    expected = gains[:, None] * fit.first + offsets[:, None]
    off = np.abs(fit.second - expected)
    off[((fit.second >= 248) & (expected >= 240)) | ((fit.second <= 7) & (expected <= 15))] = 0
    off[(fit.first >= 248) & (fit.second >= expected - _LEVELS)] = 0
    off[(fit.first <= 7) & (fit.second <= expected + _LEVELS)] = 0
    deviation = np.sqrt(np.maximum(fit.first.var(axis=1), fit.second.var(axis=1)))
    differs = fit.inside & (deviation > _BLANK) & (fit.explained <= _ROUGHLY)
    return off, differs & ((off < _LEVELS).mean(axis=1) < _SAME_PIXELS)


def _tone_around(fit: _Fit, grid: Grid) -> tuple[Floats, Floats]:
    """Return gain and offset at each window: the medians of those around it that fit, or of all."""
    found = []
    for values in (fit.gains, fit.second.mean(axis=1) - fit.gains * fit.first.mean(axis=1)):
        padded = np.pad(np.where(fit.good, values, np.nan).reshape(grid), 2, constant_values=np.nan)
        around = np.lib.stride_tricks.sliding_window_view(padded, (5, 5)).reshape(-1, 25)
        ordered = np.sort(around, axis=1)  # NaN last
        known = (~np.isnan(around)).sum(axis=1)
        middle = ordered[np.arange(len(ordered)), np.maximum(known - 1, 0) // 2]
        found.append(np.where(known > 0, middle, np.median(values[fit.good])))
    return found[0], found[1]


def _plainness(values: Pixels) -> float:
    """Return the share of grey levels in the two ranges that hold most of them."""
    if not len(values):
        return 1.0
    step = 8
    counts = np.histogram(values, 256 // step, (0, 256))[0].astype(float)
    width = np.ones(_RANGE // step)
    at = int(np.convolve(counts, width, "valid").argmax())
    first = counts[at : at + len(width)].sum()
    counts[at : at + len(width)] = 0
    return float((first + np.convolve(counts, width, "valid").max()) / len(values))


def _equally_sharp(one: Pixels, other: Pixels, common: Mask) -> tuple[Pixels, Pixels, float]:
    """Blur the sharper picture until both are as soft; return by how many pixels, too."""
    ours, theirs = _sharpness(one, common), _sharpness(other, common)
    if abs(ours - theirs) < _SHARPNESS:
        return one, other, 0.0
    if ours > theirs:
        soft, blur = _softened(one, common, theirs)
        return soft, other, blur
    soft, blur = _softened(other, common, ours)
    return one, soft, blur


def _softened(sharp: Pixels, common: Mask, wanted: float) -> tuple[Pixels, float]:
    """Return a picture blurred until it is nearest to a sharpness, and the blur, with which that sinks."""
    cv2 = opencv()
    tried: dict[float, tuple[Pixels, float]] = {}

    def sharpness(blur: float) -> float:
        if blur not in tried:
            soft = cv2.GaussianBlur(sharp, (0, 0), blur) if blur else sharp
            tried[blur] = soft, _sharpness(soft, common)
        return tried[blur][1]

    enough = bisect_left(_BLURS, -wanted, key=lambda blur: -sharpness(blur))
    around = _BLURS[max(0, enough - 1) : enough + 1]
    best = min(around, key=lambda blur: abs(sharpness(blur) - wanted))
    return tried[best][0], best


def _sharpness(picture: Pixels, common: Mask) -> float:
    """Return the logarithm of how strong fine detail is beside coarse detail."""
    cv2 = opencv()
    fine = picture - cv2.GaussianBlur(picture, (0, 0), 1.0)
    coarse = cv2.GaussianBlur(picture, (0, 0), 3.0) - cv2.GaussianBlur(picture, (0, 0), 6.0)
    return float(np.log((np.mean(fine[common] ** 2) + 0.3) / (np.mean(coarse[common] ** 2) + 0.3)))


def _grid(picture: npt.NDArray[Scalar]) -> Grid:
    """Return how many rows and columns of whole windows a picture has."""
    return picture.shape[0] // WINDOW, picture.shape[1] // WINDOW


def _windows(picture: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    """Cut a picture into windows `(n, 256)`, row by row."""
    rows, columns = _grid(picture)
    cut = picture[: rows * WINDOW, : columns * WINDOW].reshape(rows, WINDOW, columns, WINDOW)
    return cut.transpose(0, 2, 1, 3).reshape(rows * columns, WINDOW * WINDOW)
