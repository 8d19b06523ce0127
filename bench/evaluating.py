"""Quality of the bundled models, by lookalike's own evaluation: writes docs/quality.md.

python bench/evaluating.py            measure and write, some ten minutes
python bench/evaluating.py page       write the page from the figures that are kept in docs/quality.json
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import copies_table
from background import copies
from common import CLI, DATA, ROOT, machine, need_data, run
from run import collection as made_collection

FIGURES = ROOT / "docs" / "quality.json"
PAGE = ROOT / "docs" / "quality.md"
WORK = ROOT / ".cache" / "bench"
PHOTOS, MODELS = ("caltech50", "clothing"), ("fast", "better", "best")
SIDES = (("fast", "better"), ("better", "best"), ("fast", "fast@rerank"), ("best", "best@rerank"))
ITEMS = 40_000
MEASURES = ("map", "precision@10", "recall@10", "ndcg@10", "mrr")

_HEAD = """# Quality

Written by `python bench/evaluating.py`, which runs the commands shown on the data that `LOOKALIKE_DATA`
names, in fresh collections. Measures are trec_eval's, with 95 % bootstrap intervals: every labelled item is a
query and ranks all others, exactly; re-ranked, as a search does, where it says so. How to measure your own
items: `lookalike evaluate --help`.
"""


def main() -> None:
    """Measure, unless only the page is wanted, and write it."""
    if sys.argv[1:] != ["page"]:
        need_data()
        by_copies = {"same_photo": json.loads(FIGURES.read_text()).get("same_photo")}  # bench/copies.py's
        FIGURES.write_text(json.dumps(measure() | by_copies | {"machine": machine()}, indent=2) + "\n")
    PAGE.write_text(render(json.loads(FIGURES.read_text())))


def measure() -> dict[str, Any]:
    """Run all evaluations."""
    found: dict[str, Any] = {"labels": {}, "compare": {}}
    for name in PHOTOS:
        folder = _filled(name, DATA / name)
        for model in MODELS[1:]:
            _run("models", "add", model, "-c", folder)
        for model in MODELS:
            asked = ("labels", "--by", "folder", "--space", model, "-c", folder)
            found["labels"][f"{name}, {model}"] = _kept(_json(*asked))
            found["labels"][f"{name}, {model}, re-ranked"] = _kept(_json(*asked, "--rerank"))
        for sides in SIDES:
            compared = _json("compare", *sides, "--by", "folder", "-c", folder)
            kept = {"queries": compared["queries"], "map": compared["measures"][0]}
            found["compare"][f"{name}: {', '.join(sides)}"] = kept
    texts = _filled("banking77", DATA / "banking77" / "train.csv", "--column", "text")
    asked = ("labels", "--by", "category", "-c", texts)
    found["labels"]["banking77, all-minilm-l6-v2"] = _kept(_json(*asked))
    found["labels"]["banking77, all-minilm-l6-v2, re-ranked"] = _kept(_json(*asked, "--rerank"))
    folder = made_collection(ITEMS)
    _json("index", "-c", folder)  # builds the index
    found["index"] = _json("index", "-c", folder)
    found["sweep"] = _json("index", "--sweep", "--seconds", "120", "-c", folder)
    found["copies"] = copies()
    return found


def _filled(name: str, *what: object) -> Path:
    folder = WORK / f"quality-{name}.lookalike"
    shutil.rmtree(folder, ignore_errors=True)
    _run("add", *what, "-c", folder)
    return folder


def _run(*words: object) -> str:
    return run([CLI, *map(str, words)], stderr=subprocess.DEVNULL)[0]


def _json(*words: object) -> Any:
    return json.loads(_run("evaluate", *words, "--json").splitlines()[-1])


def _kept(report: dict[str, Any]) -> dict[str, Any]:
    names = ("queries", "candidates", "overall", "line", "seconds")
    return {name: report[name] for name in names} | {
        "hardest": report["labels"][0],
        "easiest": report["labels"][-1],
    }


def render(f: dict[str, Any]) -> str:
    """Return docs/quality.md."""
    parts = [
        _HEAD,
        f"Machine: {f['machine']}.\n",
        _labels(f["labels"]),
        _line(f["labels"]),
        _copies(f["copies"]),
    ]
    if f.get("same_photo"):
        parts.append(copies_table.table(f["same_photo"]))
    parts += [_compare(f["compare"]), _index(f["index"], f["sweep"])]
    return "\n".join(parts)


def _copies(f: dict[str, Any]) -> str:
    bars = list(f["pairs_near"])
    rows = ["## Near copies", "", "`python bench/background.py copies`", ""]
    rows += [
        "Photos are taken for copies of one where both the cosine of their vectors and their perceptual",
        f"hashes say so: {f['chosen']} of 64.",
        "Which shares of edited photos reach that and other bars, and how many of the",
        f"{f['pairs']:,} pairs of different files in three sets do; those at the bar that is used are copies "
        "or edits of one picture.",
        "",
    ]
    rows += [f"| edit | {' | '.join(bars)} |", "|---" * (1 + len(bars)) + "|"]
    for title, reached in f["edits"].items():
        rows.append(f"| {title} | {' | '.join(f'{100 * reached[bar]:.0f} %' for bar in bars)} |")
    rows.append(
        f"| pairs of different files | {' | '.join(str(count) for count in f['pairs_near'].values())} |"
    )
    return "\n".join(rows) + "\n"


def _labels(some: dict[str, Any]) -> str:
    rows = ["## Labels", "", "`lookalike evaluate labels --by folder` (for texts `--by category`)", ""]
    rows += [
        f"| data, model | queries | {' | '.join(MEASURES)} | hardest | easiest | seconds |",
        "|---" * 10 + "|",
    ]
    for name, found in some.items():
        values = " | ".join(_shown(found["overall"][measure]) for measure in MEASURES)
        ends = (
            f"{found[end]['label']} ({found[end]['measures']['map']['mean']:.2f})"
            for end in ("hardest", "easiest")
        )
        rows.append(
            f"| {name} | {found['queries']:,} | {values} | {' | '.join(ends)} | {found['seconds']:.1f} |"
        )
    return "\n".join(rows) + "\n"


def _line(some: dict[str, Any]) -> str:
    rows = ["## The line to background", ""]
    rows += ["Which shares of what is alike and of the others score above it, as a mean over queries.", ""]
    rows += ["| data, model | alike | others (false alarms) |", "|---|---|---|"]
    for name, found in some.items():
        if name.endswith("re-ranked"):  # which leaves the line where it is
            continue
        kept, false = (found["line"][part] for part in ("kept", "false_alarms"))
        rows.append(f"| {name} | {_shown(kept)} | {_shown(false, 4)} |")
    return "\n".join(rows) + "\n"


def _compare(some: dict[str, Any]) -> str:
    rows = ["## Two of them compared", "", "`lookalike evaluate compare ONE OTHER --by folder`", ""]
    rows += [
        "| data: one, other | queries | map of one | of the other | difference | p | better | worse | equal |"
    ]
    rows += ["|---" * 9 + "|"]
    for name, found in some.items():
        one = found["map"]
        cells = (
            f"{one['a']['mean']:.4f}",
            f"{one['b']['mean']:.4f}",
            _shown(one["difference"], 4),
            f"{one['p']:.4f}",
        )
        counts = (one["better"], one["worse"], one["equal"])
        rows.append(f"| {name} | {found['queries']:,} | {' | '.join(map(str, (*cells, *counts)))} |")
    return "\n".join(rows) + "\n"


def _index(plain: dict[str, Any], swept: dict[str, Any]) -> str:
    title = f"## Indexes, {swept['items']:,} items of {swept['dim']:,} numbers"
    said = (
        f"`lookalike evaluate index --sweep`, {swept['queries']} queries, {swept['seconds']:.0f} s; without "
        f"`--sweep` {plain['seconds']:.0f} s (to reach: 60). Mixtures of real vectors with noise "
        "(`bench/vectors.py`), harder than photos. Times are of one query in one thread, with re-scoring "
        "from the store where it says so. **Bold**: none finds as much in less time."
    )
    heads = "| index | setting | recall@10 | ms | p99 ms | bytes per item | build s |"
    rows = [title, "", said, "", heads, "|---" * 7 + "|"]
    for each in swept["indexes"]:
        if each["problem"]:
            rows.append(f"| {each['index']} | {each['problem']} | | | | | |")
            continue
        name = f"**{each['index']}**" if each["best"] else each["index"]
        cells = (_shown(each["recall"], 4), f"{each['median_ms']:.2f}", f"{each['p99_ms']:.2f}")
        size = (f"{each['bytes_per_item']:,.0f}", f"{each['build_seconds']:.1f}")
        rows.append(f"| {name} | {each['setting']} | {' | '.join((*cells, *size))} |")
    return "\n".join(rows) + "\n"


def _shown(interval: dict[str, float], digits: int = 3) -> str:
    mean, low, high = (f"{interval[part]:.{digits}f}" for part in ("mean", "low", "high"))
    return f"{mean} ({low}–{high})"


if __name__ == "__main__":
    main()
