"""A contact sheet: the query and its hits as one picture."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from lookalike.durable import written_whole
from lookalike.errors import StorageError

_CELL, _GAP, _LABEL = 220, 14, 40
_COLUMNS = 5
_PAPER, _INK, _FAINT, _MARK = "#ffffff", "#1c1c1e", "#6e6e73", "#0a62d0"


@dataclass(frozen=True, slots=True)
class Cell:
    """One picture of the sheet: JPEG bytes (None: could not be read), a title and a line below."""

    picture: bytes | None
    title: str
    line: str
    is_query: bool = False


def write_sheet(path: Path, rows: list[list[Cell]]) -> None:
    """Write one picture with a block of cells per query; raises `StorageError` when that fails."""
    sheet = make_sheet(rows)
    try:
        with written_whole(path) as new:
            sheet.save(new)
    except (OSError, ValueError) as error:  # ValueError: an unknown extension
        why = f"{error}; use .png or .jpg" if isinstance(error, ValueError) else error.strerror or error
        raise StorageError(f"cannot write the sheet {path}: {why}") from error


def make_sheet(rows: list[list[Cell]]) -> Image.Image:
    """Return one picture with a block of cells per query."""
    blocks = [_block(row) for row in rows]
    width = max(block.width for block in blocks)
    sheet = Image.new("RGB", (width, sum(block.height for block in blocks)), _PAPER)
    top = 0
    for block in blocks:
        sheet.paste(block, (0, top))
        top += block.height
    return sheet


def _block(cells: list[Cell]) -> Image.Image:
    columns = min(_COLUMNS, len(cells))
    lines = -(-len(cells) // columns)
    size = (columns * (_CELL + _GAP) + _GAP, lines * (_CELL + _LABEL + _GAP) + _GAP)
    block = Image.new("RGB", size, _PAPER)
    for at, cell in enumerate(cells):
        row, column = divmod(at, columns)
        _paint(block, cell, _GAP + column * (_CELL + _GAP), _GAP + row * (_CELL + _LABEL + _GAP))
    return block


def _paint(block: Image.Image, cell: Cell, left: int, top: int) -> None:
    draw = ImageDraw.Draw(block)
    if cell.picture is None:
        draw.rectangle((left, top, left + _CELL, top + _CELL), outline=_FAINT)
        draw.text(
            (left + 12, top + _CELL // 2), "cannot be read any more", _FAINT, ImageFont.load_default(13)
        )
    else:
        with Image.open(BytesIO(cell.picture), formats=("JPEG",)) as picture:
            picture.thumbnail((_CELL, _CELL))
            at = (left + (_CELL - picture.width) // 2, top + _CELL - picture.height)
            block.paste(picture, at)
            if cell.is_query:
                draw.rectangle(
                    (at[0] - 3, at[1] - 3, at[0] + picture.width + 2, at[1] + picture.height + 2),
                    None,
                    _MARK,
                    3,
                )
    title, line = _shown(cell.title), _shown(cell.line)
    draw.text(
        (left, top + _CELL + 5),
        _begun(draw, title),
        _MARK if cell.is_query else _INK,
        ImageFont.load_default(15),
    )
    draw.text((left, top + _CELL + 24), _shortened(draw, line), _FAINT, ImageFont.load_default(12))


def _shown(text: str) -> str:
    """Return a text in letters that the font has."""
    return text.replace("×", " x ")


def _begun(draw: ImageDraw.ImageDraw, title: str) -> str:
    font = ImageFont.load_default(15)
    while draw.textlength(title, font) > _CELL:
        title = title.rstrip("…")[:-1] + "…"
    return title


def _shortened(draw: ImageDraw.ImageDraw, line: str) -> str:
    font = ImageFont.load_default(12)
    while draw.textlength(line, font) > _CELL:
        line = "…" + line.lstrip("…")[1:]
    return line
