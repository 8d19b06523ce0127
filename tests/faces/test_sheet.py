"""A contact sheet: what is written below a picture stays below it."""

import numpy as np

from lookalike.faces.sheet import Cell, make_sheet

LONG = "best: more pixels, original facts, not a screenshot, sharper than the others"


def test_titles_and_lines_end_where_the_next_picture_begins():
    sheet = make_sheet([[Cell(None, LONG, f"4032×3024 {LONG}"), Cell(None, "", "")]])
    pixels = np.asarray(sheet)
    left, gap = pixels[238:, :234], pixels[238:, 236:]
    assert (left < 200).any() and (gap == 255).all()


def test_what_the_font_lacks_is_written_in_other_letters():
    said, plain = (make_sheet([[Cell(None, "", line)]]).tobytes() for line in ("96×64", "96 x 64"))
    assert said == plain
