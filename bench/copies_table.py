"""The figures of bench/copies.py as a part of docs/quality.md."""

from __future__ import annotations

from typing import Any

from copy_edits import EDITS


def table(f: dict[str, Any]) -> str:
    """Return recall by edit, precision and false pairs of each method, on the half that settled no rule."""
    methods = {name: found["half_1"] for name, found in f["methods"].items()}
    rows = ["## Copies", "", "`python bench/copy_truth.py make FOLDER`, `python bench/copies.py FOLDER`", ""]
    rows += [
        f"{f['sources']:,} photos, edits of them, second shots and others like them: {f['files']:,} files.",
        "Rules were settled on one half of the photos; the figures are of the other. How many percent of",
        "the edits of a kind are found as the same photo as their source; **bold** where less than asked:",
        "",
    ]
    rows += [f"| edit | asked | {' | '.join(methods)} |", "|---" * (2 + len(methods)) + "|"]
    for name, edit in EDITS.items():
        asked = f"≥ {100 * edit.asked:g}" if edit.asked else ""
        cells = [_recall(found["recall"].get(name), edit.asked) for found in methods.values()]
        rows.append(f"| {name} | {asked} | {' | '.join(cells)} |")
    for title, key in (
        ("precision, all pairs", "precision"),
        ("precision, pairs with a source", "precision_of_sources"),
    ):
        cells = [f"{100 * found[key]:.2f}" for found in methods.values()]
        rows.append(f"| {title} | ≥ 99.5 | {' | '.join(cells)} |")
    seconds = [f"{found['seconds']:,.0f}" for found in f["methods"].values()]
    rows.append(f"| seconds | | {' | '.join(seconds)} |")
    return "\n".join([*rows, "", *_false(f, methods), "", *_legend(f)]) + "\n"


def _false(f: dict[str, Any], methods: dict[str, Any]) -> list[str]:
    """Return the rows of what was taken for the same photo and is not."""
    of = f["negatives"]["half_1"]
    names = sorted({*of, *(name for found in methods.values() for name in found["false"])})
    rows = ["Pairs that are taken for the same photo and are not:", ""]
    rows += [f"| what they are | pairs | {' | '.join(methods)} |", "|---" * (2 + len(methods)) + "|"]
    for name in names:
        cells = [f"{found['false'].get(name, 0):,}" for found in methods.values()]
        rows.append(f"| {name} | {of.get(name, '')} | {' | '.join(cells)} |")
    return rows


def _legend(f: dict[str, Any]) -> list[str]:
    return [f"- **{name}**: {found['title']}." for name, found in f["methods"].items()]


def _recall(found: float | None, asked: float | None) -> str:
    if found is None:
        return ""
    shown = f"{100 * found:.1f}"
    return f"**{shown}**" if asked and found < asked else shown
