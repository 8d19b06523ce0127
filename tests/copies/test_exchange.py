"""Decisions go out as JSON lines and come back the same; a broken line is named and nothing is taken in."""

from __future__ import annotations

import json

import pytest

from lookalike.copies.exchange import read_decisions, write_decisions
from lookalike.decisions import Decision
from lookalike.errors import LookalikeError, NotFoundError, StorageError, UsageError

AT = "2026-12-05T12:00:00+00:00"
ONE, TWO, THREE = (bytes([n]) * 32 for n in (1, 2, 3))
GIVEN = [
    Decision(ONE, TWO, "different", AT),
    Decision(ONE, THREE, "second is best", AT),
    Decision(TWO, THREE, None, AT),
]
LINE = json.dumps({"first": ONE.hex(), "second": TWO.hex(), "verdict": "keep both", "at": AT})


def test_what_is_written_is_read(tmp_path):
    assert write_decisions(tmp_path / "d.jsonl", GIVEN) == 3
    assert read_decisions(tmp_path / "d.jsonl") == GIVEN
    first = json.loads((tmp_path / "d.jsonl").read_text().splitlines()[0])
    assert first == {"first": "01" * 32, "second": "02" * 32, "verdict": "different", "at": AT}


def test_a_pair_in_the_other_order_comes_in_turned(tmp_path):
    facts = {"first": TWO.hex(), "second": ONE.hex(), "verdict": "first is best", "at": AT, "more": 1}
    (tmp_path / "d.jsonl").write_bytes(b"\xef\xbb\xbf" + json.dumps(facts).encode() + b"\r\n\r\n")
    assert read_decisions(tmp_path / "d.jsonl") == [Decision(ONE, TWO, "second is best", AT)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2 is no decision"),
        ("[1]", "line 2 is no decision"),
        ("17", "line 2 is no decision"),
        ("[" * 9_000, "line 2 is no decision"),
        ("x" * 20_000, "line 2: more than 10,000 characters"),
        (LINE.replace("01" * 32, "zz"), "line 2 is no decision"),
        (LINE.replace('"at"', '"when"'), "line 2 is no decision"),
        (LINE.replace("01" * 32, "01"), "line 2: a decision is on two sha256"),
        (LINE.replace("02" * 32, "01" * 32), "line 2: a decision is on two contents"),
        (LINE.replace("keep both", "keep"), "line 2: a verdict is one of"),
        (LINE.replace('"keep both"', "[]"), "line 2: a verdict is one of"),
        (LINE.replace("+00:00", ""), "line 2: a decision's moment is in UTC"),
        ("\udc80", "it is not UTF-8 text"),
    ],
)
def test_a_broken_line_is_named(tmp_path, line, message):
    content = f"{LINE}\n{line}\n{LINE}\n".encode(errors="surrogateescape")
    (tmp_path / "d.jsonl").write_bytes(content)
    with pytest.raises(UsageError, match=message) as caught:
        read_decisions(tmp_path / "d.jsonl")
    assert "d.jsonl" in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(NotFoundError, match="cannot read"):
        read_decisions(tmp_path / "none.jsonl")
    with pytest.raises(LookalikeError, match="a folder"):
        read_decisions(tmp_path)


def test_what_fails_leaves_the_former_file(tmp_path):
    write_decisions(tmp_path / "d.jsonl", GIVEN)

    def broken():
        yield GIVEN[0]
        yield Decision(ONE, ONE, "different", AT)

    with pytest.raises(UsageError):
        write_decisions(tmp_path / "d.jsonl", broken())
    assert read_decisions(tmp_path / "d.jsonl") == GIVEN
    assert [path.name for path in tmp_path.iterdir()] == ["d.jsonl"]
    with pytest.raises(StorageError, match="cannot write"):
        write_decisions(tmp_path / "none" / "d.jsonl", GIVEN)
