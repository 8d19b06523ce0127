from __future__ import annotations

import pytest

from lookalike.faces.text import copy_note, counted, facts, megabytes, printable, tally
from lookalike.records import Hit
from lookalike.reports import AddReport


@pytest.mark.parametrize(
    "name, shown",
    [
        ("ünï 中 😀.jpg", "ünï 中 😀.jpg"),
        ("two\nlines\r\tand\0", r"two\nlines\r\tand\x00"),
        ("\x1b[31mred\x9b", r"\x1b[31mred\x9b"),
        ("\u202egpj.exe\u2028", r"\u202egpj.exe\u2028"),
        ("caf\udce9", r"caf\udce9"),
        ("", ""),
    ],
)
def test_names_are_made_safe_to_print(name, shown):
    assert printable(name) == shown
    assert printable(name).isprintable()


def test_numbers_have_their_noun():
    assert [counted(count, "item") for count in (0, 1, 2, 1234)] == [
        "0 items",
        "1 item",
        "2 items",
        "1,234 items",
    ]


def test_the_tally_sums_up():
    report = AddReport(added=1000, unchanged=2, moved=3, updated=4, skipped=5)
    assert tally(report) == "found 1,014 = 1,000 added + 2 unchanged + 3 moved + 4 updated + 5 skipped"


def test_facts_are_those_that_are_known():
    known = {"width": 40, "height": 30, "taken": "2019-06-30T12:00:00", "camera": "Canon", "lat": 1.0}
    assert facts(known) == "40×30  2019-06-30  Canon"
    assert facts({"camera": "Canon"}) == "Canon"
    assert facts({}) == ""


def test_a_copy_is_named_with_how_it_is_one():
    assert copy_note(Hit(7, "/a.jpg", 1.0, {}, b"")) == ""
    assert copy_note(Hit(7, "/a.jpg", 1.0, {}, b"", copy_of=3)) == "copy of 3"
    how = ("cropped", "smaller")
    assert copy_note(Hit(7, "/a.jpg", 1.0, {}, b"", copy_of=3, copy_how=how)) == "copy of 3: cropped, smaller"


def test_bytes_are_shown_in_mb():
    assert megabytes(2_056_192_000) == "2,056.2 MB"
