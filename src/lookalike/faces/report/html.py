"""A report as one HTML file: no script, nothing fetched, every text escaped."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from lookalike.durable import written_whole
from lookalike.errors import MissingExtraError, StorageError
from lookalike.evaluate.intervals import Interval
from lookalike.faces.report.blocks import Bars, Report, Scatter, shown
from lookalike.faces.report.plots import check_plots, svg

_FOLDER = Path(__file__).parent


def check_report() -> None:
    """Raise `MissingExtraError` where no report can be made, before long work is done for it."""
    check_plots()
    _jinja()


def write_report(path: Path, report: Report) -> None:
    """Write a report whole: a kill or a full disk leaves what was there. Raises `StorageError`."""
    page = render(report).encode()
    try:
        with written_whole(path) as new:
            new.write_bytes(page)
    except OSError as error:
        raise StorageError(f"cannot write the report {path}: {error.strerror or error}") from error


def render(report: Report) -> str:
    """Return the page; the same for the same report."""
    jinja2 = _jinja()
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FileSystemLoader(_FOLDER),
    )
    environment.filters |= {"shown": shown, "picture": _picture}
    environment.tests["number"] = lambda value: isinstance(value, int | float | Interval)
    markup = jinja2.utils.markupsafe.Markup
    plots = {
        id(block): markup(svg(block))  # matplotlib escapes what it writes
        for section in report.sections
        for block in section.blocks
        if isinstance(block, Scatter | Bars)
    }
    style = markup((_FOLDER / "report.css").read_text(encoding="utf-8"))
    template = environment.get_template("report.html")
    return str(template.render(report=report, plot=lambda block: plots[id(block)], style=style, kind=_kind))


def _kind(block: object) -> str:
    return type(block).__name__


def _picture(content: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode()}"


def _jinja() -> Any:
    try:
        import jinja2  # an optional package
    except ImportError as error:
        raise MissingExtraError("reports", "report") from error
    return jinja2
