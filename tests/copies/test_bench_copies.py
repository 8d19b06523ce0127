"""How methods are measured against a truth about copies: what counts as found, as false, and not at all."""

from __future__ import annotations

import json
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))
import copies
import copy_truth
from copies_score import as_pairs, negatives, score
from copies_table import table
from copy_truth import Entry, Truth


def entries_of(origin: str, half: int) -> list[Entry]:
    shot = "shot: parallax 1–2 %"
    kinds = [("source", "c/cup"), ("edit", "blur"), ("edit", "grey"), ("edit", "crop-50"), ("shot", shot)]
    return [Entry(f"{origin}/{name}", origin, kind, name, half) for kind, name in kinds]


@pytest.fixture
def truth() -> Truth:
    """Of half 0 photo a; of half 1 photos b and c, and two others, one of which is a known copy of b."""
    others = [Entry(f"other/{name}", name, "other", "c/cup", 1) for name in ("d", "e")]
    entries = (*entries_of("a", 0), *entries_of("b", 1), *entries_of("c", 1), *others)
    return Truth(Path("/nowhere"), entries, frozenset([frozenset("bd"), frozenset("xy")]))


def test_every_pair_is_counted_as_the_truth_says_of_it(truth):
    pairs = as_pairs(list(combinations(range(len(truth.entries)), 2)))
    relations = [truth.relation(truth.entries[one], truth.entries[other]) for one, other in pairs.tolist()]
    found = score(truth, pairs)
    assert found["right"] == sum(each.verdict == "copy" for each in relations) == 3 * 4
    assert found["wrong"] == sum(each.verdict == "other" for each in relations)
    assert sum(found["false"].values()) == found["wrong"]
    assert found["recall"] == {"grey": 1, "blur": 1, "crop-50": 1}
    assert found["asked"] == {"grey": 3, "blur": 3, "crop-50": 3}
    assert found["precision"] == 12 / (12 + found["wrong"])


def test_the_pairs_of_a_half(truth):
    """Of photo b blur and its two edits that show all; falsely its shot, another photo, an edit of c."""
    source, blur, grey, crop, shot, other = 5, 6, 7, 8, 9, 10
    known, unknown = 15, 16
    right = [(source, blur), (blur, grey)]
    free = [(blur, crop), (source, known)]
    false = [(source, shot), (source, unknown), (blur, other), (0, source)]
    found = score(truth, as_pairs([*right, *free, *false, (grey, blur), (0, 1)]), half=1)
    assert found["recall"] == {"grey": 0, "blur": 0.5, "crop-50": 0}
    assert (found["right"], found["wrong"]) == (2, 3)
    assert found["precision"] == 2 / 5 and found["precision_of_sources"] == 1 / 4
    assert found["false"] == {
        "shot: parallax 1–2 %": 1,
        "photos of one kind": 1,
        "edits of other photos": 1,
    }
    assert score(truth, as_pairs([]), half=0)["recall"]["blur"] == 0
    assert negatives(truth, 1) == {"shot: parallax 1–2 %": 2}


def test_the_table_names_what_is_below_what_is_asked(truth):
    methods = {
        "all": as_pairs(list(combinations(range(10), 2))),
        "none": as_pairs([]),
    }
    scored = {
        name: {"title": name, "seconds": 1, "half_1": score(truth, pairs, 1)}
        for name, pairs in methods.items()
    }
    figures = {"sources": 3, "files": 17, "negatives": {"half_1": negatives(truth, 1)}, "methods": scored}
    text = table(figures)
    assert "| grey | ≥ 95 | **50.0** | **0.0** |" in text
    assert "| shot: parallax 1–2 % | 2 | 1 | 0 |" in text


def test_figures_of_other_methods_are_kept_if_they_are_of_the_same_truth(tmp_path, monkeypatch):
    monkeypatch.setattr(copies.evaluating, "FIGURES", tmp_path / "quality.json")
    monkeypatch.setattr(copies.evaluating, "PAGE", tmp_path / "quality.md")
    monkeypatch.setattr(copies.evaluating, "render", lambda f: ", ".join(f["same_photo"]["methods"]))
    (tmp_path / "quality.json").write_text('{"labels": 1}')
    figures = {"files": 9, "sources": 3, "negatives": {}}
    copies.keep({**figures, "methods": {"PDQ": 1, "cosine": 1}})
    copies.keep({**figures, "methods": {"cosine": 2}})
    kept = json.loads((tmp_path / "quality.json").read_text())
    assert kept == {"labels": 1, "same_photo": {**figures, "methods": {"cosine": 2, "PDQ": 1}}}
    assert (tmp_path / "quality.md").read_text() == "cosine, PDQ"
    copies.keep({**figures, "files": 8, "methods": {"cosine": 3}})
    assert (tmp_path / "quality.md").read_text() == "cosine"


@pytest.mark.slow
def test_methods_find_edits_of_a_real_truth(shared_data, tmp_path):
    truth = copy_truth.make(tmp_path / "truth", 4, data=shared_data)
    figures = copies.measure(truth, only=["cosine", "folded"])
    cosine, folded = (figures["methods"][name] for name in ("cosine", "folded"))
    for half in ("half_0", "half_1"):
        assert cosine[half]["recall"]["jpeg-75"] == folded[half]["recall"]["jpeg-75"] == 1
        assert folded[half]["recall"]["crop-50"] == 0
        assert folded[half]["wrong"] <= cosine[half]["wrong"]
    assert figures["sources"] == 4 and figures["files"] == len(truth.entries)


def test_without_the_other_programs_it_says_how_to_get_them(truth, capsys):
    assert copies.measure(truth, Path("/nowhere/python"), ["PDQ"])["methods"] == {}
    assert "--help" in capsys.readouterr().out


def test_each_pair_is_kept_once():
    assert as_pairs([(2, 1), (1, 2), (3, 3), (0, 5)]).tolist() == [[0, 5], [1, 2]]
    assert as_pairs(np.empty((0, 2))).shape == (0, 2)
