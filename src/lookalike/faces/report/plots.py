"""Plots of a report, drawn by matplotlib: readable without colour, in light and in dark."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lookalike.durable import written_whole
from lookalike.errors import MissingExtraError, StorageError, UsageError
from lookalike.faces.report.blocks import Bars, Point, Scatter

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARKERS = "oDs^vPX*hp<>"
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#56b4e9", "#444444", "#7f3c8d")
"""Told apart by the colour-blind (Okabe and Ito 2008), dark enough on white and light enough on black."""
_INK = "#6b6b70"  # on white and on black
_SIZES = (60.0, 500.0)  # square points
_SETTINGS: Any = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "lookalike",  # the same file for the same figures
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), _INK),
}


def svg(block: Scatter | Bars) -> str:
    """Return a plot as an SVG element without a background."""
    target = io.StringIO()
    _saved(block, target, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    text = target.getvalue()
    return text[text.index("<svg") :]


def write_plot(path: Path, block: Scatter | Bars) -> None:
    """Write a plot as .png or .svg; raises `UsageError` for another ending, `StorageError`."""
    check_plots(path)
    try:
        with written_whole(path) as new:
            _saved(block, new, format=path.suffix.lower()[1:], dpi=150, facecolor="white")
    except OSError as error:
        raise StorageError(f"cannot write the plot {path}: {error.strerror or error}") from error


def check_plots(path: Path | None = None) -> None:
    """Raise `MissingExtraError` or `UsageError` where a plot cannot be drawn, before long work is done."""
    if path is not None and path.suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"a plot is written as .png or .svg, not as {path.name!r}")
    try:
        import matplotlib  # noqa: F401  # an optional package
    except ImportError as error:
        raise MissingExtraError("plots and reports", "report") from error


def _saved(block: Scatter | Bars, target: Any, **how: Any) -> None:
    check_plots()
    import matplotlib as mpl  # an optional package, slow to import

    with mpl.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # whoever shows an SVG has more fonts
        figure = _scatter(block) if isinstance(block, Scatter) else _bars(block)
        figure.savefig(target, bbox_inches="tight", **how)


def _figure(width: float, height: float) -> tuple[Figure, Any]:
    from matplotlib.figure import Figure  # as above; without pyplot there are no windows and no globals

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def _scatter(block: Scatter) -> Figure:
    figure, axes = _figure(9, 5)
    groups = list(dict.fromkeys(point.group for point in block.points))
    most = max((point.size for point in block.points), default=1.0) or 1.0
    for number, group in enumerate(groups):
        some = [point for point in block.points if point.group == group]
        axes.scatter(
            [point.x for point in some],
            [point.y for point in some],
            s=[max(_SIZES[0], _SIZES[1] * point.size / most) for point in some],
            marker=_MARKERS[number % len(_MARKERS)],
            color=_COLOURS[number % len(_COLOURS)],
            alpha=0.65,
            label=_plain(group),
        )
    _join(axes, sorted((point for point in block.points if point.is_best), key=lambda point: point.x))
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel(block.x_label)
    axes.set_ylabel(block.y_label)
    axes.grid(visible=True, alpha=0.2)
    legend = axes.legend(
        title=block.size_label, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=9
    )
    for handle in legend.legend_handles:
        if hasattr(handle, "set_sizes"):
            handle.set_sizes([40])
    return figure


def _join(axes: Any, points: list[Point]) -> None:
    """Join the best points by a line and number them; the legend says what the numbers stand for."""
    axes.plot([point.x for point in points], [point.y for point in points], color=_INK, linewidth=1, zorder=0)
    for number, point in enumerate(points, 1):
        axes.annotate(
            str(number),
            (point.x, point.y),
            ha="center",
            va="center",
            fontsize=9,
            weight="bold",
            color="black",
        )
        axes.plot([], [], " ", marker=f"${number}$", color=_INK, label=_plain(point.label))


def _plain(text: str) -> str:
    """Return a text that matplotlib does not take for a formula."""
    return text.replace("$", r"\$")


def _bars(block: Bars) -> Figure:
    figure, axes = _figure(8, 1.1 + 0.26 * len(block.values))
    for at, (_, interval) in enumerate(block.values):
        axes.plot([interval.low, interval.high], [at, at], color=_COLOURS[0], linewidth=1.5, clip_on=False)
        axes.plot([interval.mean], [at], "o", color=_COLOURS[0], clip_on=False)
    axes.set_yticks(range(len(block.values)), [_plain(name) for name, _ in block.values])
    axes.invert_yaxis()
    axes.set_xlabel(block.x_label)
    if block.zero:
        axes.axvline(0, color=_INK, linewidth=1)
    else:
        axes.set_xlim(0, 1)
    axes.grid(visible=True, axis="x", alpha=0.2)
    return figure
